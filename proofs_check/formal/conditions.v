(* Conditions under which one pool is stable: Lemma 1, common prompts, commuting features. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem universal.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Mixture.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (M P A : 'M[C]_d) (u v z : 'cV[C]_d) (S T R : K -> 'M[C]_d).

(* One entity: with (M + delta A) e = M v, what it publishes on v is real and at most 1/(1 + eps delta) of v* A v, if eps is at
   most the smallest nonzero eigenvalue of M^(-1/2) A M^(-1/2). *)
Lemma contraction M A delta eps v e : psd M -> psd A -> (forall y, exists u, M *m u = A *m y) -> 0 <= delta -> 0 <= eps ->
  (forall y u, M *m u = A *m y -> eps * form A y <= form M u) -> (M + delta *: A) *m e = M *m v ->
  0 <= bil A v e /\ (1 + eps * delta) * bil A v e <= form A v.
Proof.
move=> psdM psdA range posd pose gap fit; have [symM posM] := psdM; have [symA posA] := psdA.
have [u Mu] := range e.
have apart z : bil M z v = bil M z e + delta * bil M z u.
  by rewrite bil_mul -fit mulmxDl mulmxDr mxE -bil_mul -scalemxAl -Mu -scalemxAr [X in _ + X]mxE -bil_mul.
have uA z : bil A z e = bil M z u by rewrite !bil_mul Mu.
have same z z' : M *m z = M *m z' -> A *m z = A *m z'.
  move=> E; apply/eqP; rewrite -subr_eq0 -mulmxBr; apply/eqP; apply: (psd_ker psdA).
  have [y My] := range (z - z'); rewrite /form bil_mul -My -bil_mul -(bilC _ _ symM) bil_mul mulmxBr E subrr mulmx0 mxE.
  by rewrite conjC0.
have Av : A *m v = A *m (e + delta *: u).
  by apply: same; rewrite mulmxDr -scalemxAr Mu scalemxAl -mulmxDl fit.
have ae : bil A v e = form A e + delta * form M u.
  by rewrite -(bilC _ _ symA) bil_mul Av -bil_mul bilDr bilZr rmorphD rmorphM /= (geC0_conj posd) !bilC // (uA u).
have au : bil A v u = form M u + delta * form A u.
  rewrite -(bilC _ _ symA) bil_mul Av -bil_mul bilDr bilZr rmorphD rmorphM /= (geC0_conj posd) (uA u).
  by rewrite -!/(form _ _) !form_real.
have av : form A v = bil A v e + delta * bil A v u by rewrite {1}/form bil_mul Av -bil_mul bilDr bilZr.
have gap_u : eps * form M u <= form A u.
  have [zero|nonzero] := eqVneq (form M u) 0; first by rewrite zero mulr0.
  have pos : 0 < form M u by rewrite lt_neqAle eq_sym nonzero posM.
  rewrite -(ler_pmul2r pos) -mulrA -expr2.
  have cs : form M u ^+ 2 <= form A e * form A u.
    by have := cauchy_schwarz e u psdA; rewrite -(bilC u e symA) (uA u) norm_conjC (ger0_norm (posM u)).
  apply: le_trans (ler_wpmul2l pose cs) _; rewrite mulrA [X in _ <= X]mulrC; apply: ler_wpmul2r; first exact: posA.
  by apply: gap.
split; first by rewrite ae addr_ge0 ?mulr_ge0 ?posA ?posM.
rewrite av mulrDl mul1r ler_add2l [eps * _]mulrC -mulrA; apply: ler_wpmul2l => //.
rewrite au ae mulrDr [eps * (delta * _)]mulrCA; apply: ler_add; first exact: gap.
exact: ler_wpmul2l.
Qed.

(* Lemma 1 for entities with weights, mixtures and volumes of their own: R_k = alpha_k (delta_k S_k + T) with a common T. *)
Theorem lemma1_unequal alpha (w : K -> C) S R (B : 'M[C]_d) (delta eps : K -> C) (c lambda : C) : ecosystem alpha (fun=> w) S R -> psd B ->
  (forall k, 0 <= delta k) -> (forall k, 0 <= eps k) -> (forall k, R k = alpha k *: (delta k *: S k + B)) ->
  let M := \sum_j w j *: S j + B in
  (forall k y u, M *m u = S k *m y -> eps k * form (S k) y <= form M u) ->
  (forall k, 1 <= c * (1 + eps k * delta k)) ->
  mode alpha (fun=> w) S R lambda -> 0 <= lambda <= c.
Proof.
move=> [posa posW psdS psdR] psdT posd pose RE M gap small [theta [[_ [k read]] trained]]; have posw := posW k.
have psdP := weighted_psd posw psdS; set P := \sum_j w j *: S j in M gap psdP; have psdM : psd M := psd_add psdP psdT.
have PM y : form P y <= form M y by rewrite {2}/form bil_add ler_addl psdT.2.
have cpos : 0 <= c.
  have g : 0 < 1 + eps k * delta k by rewrite ltr_paddr ?ltr01 ?mulr_ge0.
  by rewrite -(pmulr_lge0 _ g); apply: le_trans (small k); apply: ler01.
have [->|nonzero] := eqVneq lambda 0; first by rewrite lexx.
have [x consensus] := consensus_exists theta posw psdS.
have [D PD] := dominated psdP psdM PM; pose v := D *m x.
have Mv : M *m v = \sum_j w j *: (S j *m theta j) by rewrite /v mulmxA -PD.
have fit j : (M + delta j *: S j) *m (lambda *: theta j) = M *m v.
  apply: (scalerI (lt0r_neq0 (posa j))); rewrite Mv -(trained j) RE scalemxAl -scalerDr; congr (_ *: _ *m _).
  by rewrite addrA addrAC.
have pos : 0 < form M v.
  rewrite lt_neqAle psdM.2 andbT eq_sym; apply: contra read => /eqP/(psd_ker psdM) zero.
  have psdD := psd_scale (posd k) (psdS k).
  have Mk : form M (theta k) = 0.
    have : (M + delta k *: S k) *m theta k = 0 by apply: (scalerI nonzero); rewrite scalemxAr fit zero scaler0.
    move=> E; have : form M (theta k) + form (delta k *: S k) (theta k) = 0 by rewrite -bil_add bil_mul E mulmx0 mxE.
    by move/eqP; rewrite paddr_eq0 ?psdM.2 ?psdD.2 // => /andP[/eqP].
  rewrite scalemxAl; apply/eqP; apply: psd_ker; first exact: psd_scale.
  apply/le_anti; rewrite (psd_scale (posw k) (psdS k)).2 andbT -Mk {1}/form bil_scale.
  exact: le_trans (below_sum k _ posw psdS) (PM _).
have moved : lambda * form M v = \sum_j w j * bil (S j) v (lambda *: theta j).
  rewrite /form bil_mul Mv mulmx_sumr summxE mulr_sumr; apply: eq_bigr => j _.
  by rewrite -scalemxAr mxE bilZr -bil_mul mulrCA.
have term j : 0 <= w j * bil (S j) v (lambda *: theta j) <= c * (w j * form (S j) v).
  have [->|readj] := eqVneq (w j) 0; first by rewrite !mul0r mulr0 lexx.
  have range y : exists u, M *m u = S j *m y.
    have [|E SE] := dominated (psd_scale (posw j) (psdS j)) psdM.
      by move=> z; apply: le_trans (PM z); rewrite {1}/form bil_scale; apply: below_sum.
    by exists ((w j)^-1 *: (E *m y)); rewrite -scalemxAr mulmxA -SE -scalemxAl scalerA mulVf // scale1r.
  have [ge0 le] := contraction psdM (psdS j) range (posd j) (pose j) (gap j) (fit j).
  rewrite mulr_ge0 //= mulrCA; apply: ler_wpmul2l => //.
  apply: le_trans (ler_wpmul2l cpos le); rewrite mulrA -[X in X <= _]mul1r; apply: ler_wpmul2r => //.
rewrite -(pmulr_lge0 _ pos) moved sumr_ge0 => [|j _]; last by case/andP: (term j).
rewrite -(ler_pmul2r pos) moved; apply: (@le_trans _ _ (c * form P v)); last exact: ler_wpmul2l.
rewrite /form bil_sum mulr_sumr; apply: ler_sum => j _; rewrite bil_scale; by case/andP: (term j).
Qed.

(* Line 1 of the proof: G = alpha (delta S + Delta). *)
Theorem lemma1_gram (alpha beta lambda gamma : C) (P Sk Tk Sx : 'M[C]_d) : alpha != 0 -> lambda != 0 ->
  gamma *: Sk = lambda *: Tk + (1 - lambda) *: Sx ->
  let delta := (1 - alpha) * beta * gamma / (alpha * lambda) in
  let Delta := ((1 - alpha) * (lambda - beta) / (alpha * lambda)) *: Sx + P in
  (1 - alpha) *: (beta *: Tk + (1 - beta) *: Sx) + alpha *: P = alpha *: (delta *: Sk + Delta).
Proof.
move=> a0 l0 mixture delta Delta; rewrite /delta /Delta !scalerDr !addrA; congr (_ + _).
have one : alpha * lambda / (alpha * lambda) = 1 by rewrite divff // mulf_neq0.
set q := (alpha * lambda)^-1 in one *.
have -> : ((1 - alpha) * beta * gamma * q) *: Sk = ((1 - alpha) * beta * q) *: (lambda *: Tk + (1 - lambda) *: Sx).
  by rewrite -mixture scalerA; congr (_ *: _); scalar C.
rewrite !scalerDr !scalerA -addrA -scalerDl; congr (_ *: _ + _ *: _).
  by rewrite -[LHS]mul1r -[X in X * _]one; scalar C.
by rewrite -[LHS]mul1r -[X in X * _]one; scalar C.
Qed.

(* Lemma 1 with its explicit bound; eps is at most the smallest nonzero eigenvalue of Delta^(-1/2) S_k Delta^(-1/2) for all k. *)
Theorem lemma1 (alpha beta lambda gamma eps : C) (w : K -> C) S T Sx eigen : 0 < alpha < 1 -> 0 < beta <= lambda -> lambda <= 1 ->
  0 < gamma -> (forall j, 0 <= w j) -> (forall k, psd (S k)) -> (forall k, psd (T k)) -> psd Sx -> 0 <= eps ->
  (forall k, gamma *: S k = lambda *: T k + (1 - lambda) *: Sx) ->
  let R k := (1 - alpha) *: (beta *: T k + (1 - beta) *: Sx) in
  let delta := (1 - alpha) * beta * gamma / (alpha * lambda) in
  let Delta := ((1 - alpha) * (lambda - beta) / (alpha * lambda)) *: Sx + \sum_j w j *: S j in
  (forall k y u, Delta *m u = S k *m y -> eps * form (S k) y <= form Delta u) ->
  mode (fun=> alpha) (fun=> w) S R eigen -> 0 <= eigen <= (1 + eps * delta)^-1.
Proof.
move=> /andP[a0 a1] /andP[b0 bl] l1 g0 posw psdS psdT psdX e0 mixture R delta Delta gap found.
have l0 := lt_le_trans b0 bl; have aa : 0 <= 1 - alpha by rewrite subr_ge0 ltW.
have al : 0 <= (alpha * lambda)^-1 by rewrite invr_ge0 mulr_ge0 ?ltW.
have d0 : 0 <= delta by rewrite /delta !mulr_ge0 // ltW.
pose B := ((1 - alpha) * (lambda - beta) / (alpha * lambda)) *: Sx.
have psdB : psd B by apply: (psd_scale _ psdX); do 2!apply: mulr_ge0 => //; rewrite subr_ge0.
have RE k : R k = alpha *: (delta *: S k + B).
  apply: (addIr (alpha *: 0)); rewrite /R (@lemma1_gram _ _ lambda gamma 0 (S k)) ?lt0r_neq0 //.
  by rewrite scaler0 !addr0.
apply: (@lemma1_unequal (fun=> alpha) w S R B (fun=> delta) (fun=> eps)) found => //.
- by split=> // k; rewrite RE; apply: (psd_scale (ltW a0)); apply: psd_add => //; apply: psd_scale.
- by move=> k y u; rewrite addrC; apply: gap.
- have one : 0 < 1 + eps * delta by apply: ltr_paddr; [apply: mulr_ge0 | apply: ltr01].
  by move=> k; rewrite mulVf // lt0r_neq0.
Qed.
End Mixture.

Section Common.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (u v x : 'cV[C]_d) (theta : K -> 'cV[C]_d).

(* Common prompts, any rank: S_j = c_j S. Every eigenvalue lies in [0, 1], and 1 is one exactly if the kernels of the real data of
   all that are read, projected onto the range of S, have a direction in common. *)
Theorem common_singular (alpha w c : K -> C) (S : 'M[C]_d) (R : K -> 'M[C]_d) :
  ecosystem alpha (fun=> w) (fun j => c j *: S) R -> psd S -> (forall j, 0 <= c j) -> 0 < \sum_j w j * c j ->
  (forall lambda, mode alpha (fun=> w) (fun j => c j *: S) R lambda -> 0 <= lambda <= 1) /\
  (mode alpha (fun=> w) (fun j => c j *: S) R 1 <->
    exists v theta, S *m v != 0 /\ forall j, w j * c j != 0 -> R j *m theta j = 0 /\ S *m theta j = S *m v).
Proof.
move=> [posa posW _ psdR] psdS posc; set s := \sum_j _ => s0.
have [k readk] : exists k, w k * c k != 0.
  apply/existsP; apply: contraTT s0 => /existsPn none; rewrite /s big1 ?ltxx // => j _.
  by apply/eqP; rewrite -[_ == _]negbK; apply: none.
have posw := posW k.
have pool : \sum_j w j *: (c j *: S) = s *: S.
  by rewrite scaler_suml; apply: eq_bigr => j _; rewrite scalerA.
have pooled theta : \sum_j w j *: (c j *: S *m theta j) = \sum_j (w j * c j) *: (S *m theta j).
  by apply: eq_bigr => j _; rewrite -scalemxAl scalerA.
pose B j := (alpha j * s)^-1 *: R j.
have psdB j : psd (B j) by apply: (psd_scale _ (psdR j)); rewrite invr_ge0 mulr_ge0 // ltW.
have as0 j : alpha j * s != 0 by rewrite mulf_neq0 // lt0r_neq0.
have fit j (u v : 'cV[C]_d) : (alpha j *: (s *: S) + R j) *m u = alpha j *: (s *: (S *m v)) <-> (S + B j) *m u = S *m v.
  rewrite scalerA !scalerA -(scalerKV (as0 j) (R j)) -/(B j) -scalerDr -scalemxAl.
  by split=> [/(scalerI (as0 j))|->].
have consensus lambda theta : trains alpha (fun=> w) (fun j => c j *: S) R theta (fun k => lambda *: theta k) ->
    exists x, [/\ s *: (S *m x) = \sum_j (w j * c j) *: (S *m theta j) & forall j, (S + B j) *m (lambda *: theta j) = S *m x].
  move=> trained; exists (s^-1 *: \sum_j (w j * c j) *: theta j).
  have E : s *: (S *m (s^-1 *: \sum_j (w j * c j) *: theta j)) = \sum_j (w j * c j) *: (S *m theta j).
    rewrite -scalemxAr scalerA divff ?lt0r_neq0 // scale1r mulmx_sumr; apply: eq_bigr => j _.
    by rewrite -scalemxAr.
  split=> // j; apply/fit; rewrite E -pooled -pool; exact: trained.
have parts j x t : (S + B j) *m t = S *m x ->
    [/\ 0 <= bil S x t, 0 <= form S (x - t) + form (B j) t & bil S x t + (form S (x - t) + form (B j) t) = form S x].
  move=> normal; have tx : bil S t x = form S t + form (B j) t by rewrite bil_mul -normal -bil_mul bil_add.
  have xt : bil S x t = form S t + form (B j) t by rewrite -(bilC t x psdS.1) tx rmorphD /= !form_real ?psdS.1 ?(psdB j).1.
  split; rewrite ?xt ?addr_ge0 ?psdS.2 ?(psdB j).2 // formB tx xt; scalar C.
have sum_c a : \sum_j w j * c j * a = s * a by rewrite mulr_suml.
have visible lambda theta x : lambda != 0 -> (exists j, w j *: (c j *: S *m theta j) != 0) ->
    (forall j, (S + B j) *m (lambda *: theta j) = S *m x) -> 0 < form S x.
  move=> nonzero [j read] fits; rewrite lt_neqAle psdS.2 andbT eq_sym; apply: contra read => /eqP zero.
  have [_ _] := parts j x _ (fits j); set t := lambda *: theta j; rewrite zero => total.
  have tx : bil S t x = 0 by rewrite bil_mul (psd_ker psdS zero) mulmx0 mxE.
  have xt : bil S x t = 0 by rewrite -(bilC t x psdS.1) tx conjC0.
  have Sj : form S t = 0.
    have : form S (x - t) = 0.
      by apply/eqP; move/eqP: total; rewrite xt add0r paddr_eq0 ?psdS.2 ?(psdB j).2 // => /andP[].
    by rewrite formB xt tx zero !subr0 add0r.
  have : lambda *: (S *m theta j) = 0 by rewrite scalemxAr; apply: psd_ker.
  by move/eqP; rewrite scaler_eq0 (negbTE nonzero) => /eqP E; rewrite -scalemxAl E !scaler0.
have moved lambda theta x : s *: (S *m x) = \sum_j (w j * c j) *: (S *m theta j) ->
    lambda * (s * form S x) = \sum_j w j * c j * bil S x (lambda *: theta j).
  move=> E; have -> : s * form S x = \sum_j w j * c j * bil S x (theta j).
    rewrite /form -bilZr bil_mul -scalemxAr E mulmx_sumr summxE; apply: eq_bigr => j _.
    by rewrite -scalemxAr mxE -bil_mul.
  by rewrite mulr_sumr; apply: eq_bigr => j _; rewrite bilZr mulrCA.
have wc j : 0 <= w j * c j by rewrite mulr_ge0.
split=> [lambda [theta [[i [j read]] trained]]|].
  have [->|nonzero] := eqVneq lambda 0; first by rewrite lexx ler01.
  have [x [E fits]] := consensus lambda theta trained.
  have pos : 0 < s * form S x.
    by apply: (mulr_gt0 s0); apply: (visible lambda theta x nonzero _ fits); exists j.
  apply/andP; split.
    rewrite -(pmulr_lge0 _ pos) (moved _ _ _ E); apply: sumr_ge0 => l _.
    by apply: mulr_ge0 => //; have [] := parts l x _ (fits l).
  rewrite -(ler_pmul2r pos) mul1r (moved _ _ _ E) -sum_c.
  apply: ler_sum => l _; apply: ler_wpmul2l => //; have [_ rest <-] := parts l x _ (fits l).
  by rewrite ler_addl.
split=> [[theta [[i [j read]] trained]]|[v [theta [Sv common]]]].
  have [x [E fits]] := consensus 1 theta trained.
  have pos : 0 < form S x by apply: (visible 1 theta x (oner_neq0 _) _ fits); exists j.
  exists x, theta; split; first by apply: contraTneq pos => zero; rewrite /form bil_mul zero mulmx0 mxE ltxx.
  move=> l nonzero; have rest m : 0 <= w m * c m * (form S (x - theta m) + form (B m) (theta m)).
    by apply: mulr_ge0 => //; have := parts m x _ (fits m); rewrite scale1r => -[].
  have total : \sum_m w m * c m * (form S (x - theta m) + form (B m) (theta m)) = 0.
    apply: (addrI (1 * (s * form S x))); rewrite {1}(moved _ _ _ E) -big_split addr0 mul1r -sum_c /=.
    apply: eq_bigr => m _; rewrite -mulrDr; congr (_ * _).
    by have := parts m x _ (fits m); rewrite scale1r => -[].
  have /(_ l isT)/eqP := psumr_eq0P (fun m _ => rest m) total; rewrite mulf_eq0 (negbTE nonzero) /=.
  rewrite paddr_eq0 ?psdS.2 ?(psdB l).2 // => /andP[/eqP/(psd_ker psdS) St /eqP/(psd_ker (psdB l)) Bt]; split.
    by apply: (scalerI (invr_neq0 (as0 l))); rewrite scalemxAl Bt scaler0.
  by apply/eqP; rewrite eq_sym -subr_eq0 -mulmxBr St.
have /fin_all_exists[u fitted] : forall j, exists u, (S + B j) *m u = S *m v.
  move=> j; have [|D SD] := dominated psdS (psd_add psdS (psdB j)); last by exists (D *m v); rewrite mulmxA -SD.
  by move=> y; rewrite {2}/form bil_add ler_addl (psdB j).2.
pose eta j := if w j * c j != 0 then theta j else u j.
have fits j : (S + B j) *m eta j = S *m v.
  rewrite /eta; case: ifP => [read|_]; last exact: fitted.
  by have [Rt St] := common j read; rewrite mulmxDl St /B -scalemxAl Rt scaler0 addr0.
have Seta j : (w j * c j) *: (S *m eta j) = (w j * c j) *: (S *m v).
  rewrite /eta; case: ifP => [read|/negbFE/eqP ->]; last by rewrite !scale0r.
  by have [_ ->] := common j read.
exists eta; split.
  by exists k, k; rewrite -scalemxAl scalerA Seta scaler_eq0 negb_or readk.
move=> j; rewrite pool scale1r pooled (eq_bigr _ (fun i _ => Seta i)) -scaler_suml -/s.
by apply/fit.
Qed.

(* Nonsingular prompts: 1 is an eigenvalue exactly if the real data of all that are read miss a direction in common. *)
Theorem common_criterion (alpha w c : K -> C) (S : 'M[C]_d) (R : K -> 'M[C]_d) :
  ecosystem alpha (fun=> w) (fun j => c j *: S) R -> psd S -> S \in unitmx -> (forall j, 0 <= c j) -> 0 < \sum_j w j * c j ->
  (forall lambda, mode alpha (fun=> w) (fun j => c j *: S) R lambda -> 0 <= lambda <= 1) /\
  (mode alpha (fun=> w) (fun j => c j *: S) R 1 <-> exists v, v != 0 /\ forall j, w j * c j != 0 -> R j *m v = 0).
Proof.
move=> eco psdS unitS posc s0; have [inside ->] := common_singular eco psdS posc s0; split=> //.
have same (x y : 'cV[C]_d) : S *m x = S *m y -> x = y by move=> E; rewrite -[x](mulKmx unitS) E mulKmx.
split=> [[v [theta [Sv common]]]|[v [v0 common]]].
  exists v; split; first by apply: contra Sv => /eqP ->; rewrite mulmx0.
  by move=> j read; have [Rt /same <-] := common j read.
exists v, (fun=> v); split; first by apply: contra v0 => /eqP E; apply/eqP/same; rewrite E mulmx0.
by move=> j read; rewrite common.
Qed.
End Common.

(* Features that are diagonal in one basis U: nothing grows. *)
Section Commuting.
Variables (C : numClosedFieldType) (d : nat) (K : finType).

Lemma diagonal_ge0 (U : 'M[C]_d) (s : 'rV[C]_d) i : U \in unitmx -> psd (U^h *m diag_mx s *m U) -> 0 <= s 0 i.
Proof.
move=> unitU [_ /(_ (invmx U *m delta_mx i 0))]; rewrite /form /bil -!mulmxA mulKVmx // !mulmxA -adjointM mulKVmx //.
rewrite -mulmxA mul_diag_mx mxE (bigD1 i) //= big1 => [|j ne]; rewrite !mxE ?(negbTE ne) ?eqxx ?conjC0 ?mul0r //.
by rewrite conjC1 mul1r mulr1 addr0.
Qed.

Theorem commuting alpha (w : K -> C) (U : 'M[C]_d) (s r : K -> 'rV[C]_d) lambda : U \in unitmx ->
  ecosystem alpha (fun=> w) (fun k => U^h *m diag_mx (s k) *m U) (fun k => U^h *m diag_mx (r k) *m U) ->
  mode alpha (fun=> w) (fun k => U^h *m diag_mx (s k) *m U) (fun k => U^h *m diag_mx (r k) *m U) lambda -> `|lambda| <= 1.
Proof.
move=> unitU [posa posW psdS psdR] [theta [[_ [k read]] trained]].
have unitUh : U^h \in unitmx by have /mulmx1_unit[] : U^h *m (invmx U)^h = 1%:M by rewrite -adjointM mulVmx // adjoint1.
pose f i j : C := (U *m theta j) i 0.
have [i readi] : exists i, w k * (s k 0 i * f i k) != 0.
  apply/existsP; apply: contraNT read => /existsPn none; apply/eqP.
  rewrite -[RHS](mulmx0 _ U^h) -!mulmxA scalemxAr; congr (_ *m _).
  apply/matrixP => i j; rewrite ord1 mul_diag_mx !mxE; apply/eqP; rewrite -[_ == _]negbK.
  by have := none i; rewrite /f mxE.
pose entry (v : 'cV[C]_d) := (invmx U^h *m v) i 0.
have entryD u v : entry (u + v) = entry u + entry v by rewrite /entry mulmxDr mxE.
have entryZ a v : entry (a *: v) = a * entry v by rewrite /entry -scalemxAr mxE.
have entry_sum (v : K -> 'cV[C]_d) : entry (\sum_j v j) = \sum_j entry (v j) by rewrite /entry mulmx_sumr summxE.
have entryE (g : 'rV[C]_d) x : entry (U^h *m diag_mx g *m U *m x) = g 0 i * (U *m x) i 0.
  by rewrite /entry -!mulmxA mulKmx // mul_diag_mx mxE.
have equation l : alpha l * (\sum_j w j * s j 0 i * (lambda * f i l)) + r l 0 i * (lambda * f i l) =
    alpha l * \sum_j w j * (s j 0 i * f i j).
  have seen : (U *m (lambda *: theta l)) i 0 = lambda * f i l by rewrite -scalemxAr mxE.
  have := congr1 entry (trained l); rewrite mulmxDl -scalemxAl mulmx_suml entryD !entryZ !entry_sum entryE.
  rewrite seen => E.
  rewrite (eq_bigr (fun j => entry ((w j *: (U^h *m diag_mx (s j) *m U)) *m (lambda *: theta l)))); last first.
    by move=> j _; rewrite -scalemxAl entryZ entryE seen [RHS]mulrA.
  rewrite E; congr (_ * _); apply: eq_bigr => j _; by rewrite entryZ entryE.
pose S' j : 'M[C]_1 := (s j 0 i)%:M; pose R' j : 'M[C]_1 := (r j 0 i)%:M.
have scalar_psd a : 0 <= a -> psd (a%:M : 'M[C]_1).
  move=> posa'; split; first by apply/matrixP => p q; rewrite !ord1 !mxE geC0_conj ?mulrb //= eqxx.
  by move=> x; rewrite /form bil_mul mul_scalar_mx -scalemxAr mxE mulr_ge0 ?norm_ge0.
have eco' : ecosystem alpha (fun=> w) S' R'.
  by split=> // j; apply: scalar_psd; apply: (diagonal_ge0 _ unitU).
have found' : mode alpha (fun=> w) S' R' lambda.
  exists (fun j => (f i j)%:M); split.
    exists k, k; apply: contra readi => /eqP/matrixP/(_ 0 0); rewrite !mxE big_ord1 !mxE !eqxx /= !mulr1n => ->.
    by rewrite eqxx.
  move=> l; apply/matrixP => p q; rewrite !ord1.
  have pool : (\sum_j w j *: S' j) 0 0 = \sum_j w j * s j 0 i.
    by rewrite summxE; apply: eq_bigr => j _; rewrite !mxE eqxx mulr1n.
  have read_l : (\sum_j w j *: (S' j *m (f i j)%:M)) 0 0 = \sum_j w j * (s j 0 i * f i j).
    by rewrite summxE; apply: eq_bigr => j _; rewrite mxE mul_scalar_mx !mxE eqxx mulr1n.
  rewrite mxE big_ord1 [RHS]mxE read_l -equation.
  have -> : (alpha l *: (\sum_j w j *: S' j) + R' l) 0 0 = alpha l * (\sum_j w j * s j 0 i) + r l 0 i.
    by rewrite mxE [X in X + _]mxE pool [X in _ + X]mxE eqxx mulr1n.
  have -> : (lambda *: (f i l)%:M : 'M[C]_1) 0 0 = lambda * f i l by rewrite !mxE eqxx mulr1n.
  by rewrite mulrDl -mulrA mulr_suml.
have := theoremU eco' found'; move/le_trans; apply.
rewrite ler_pdivr_mulr ?ltr0n // mul1r -[2%:R]/(1 + 1) ler_add2l.
rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?sqrtC_ge0 ?ler0n ?ler01 // sqrtCK expr1n lern1.
by apply: leq_trans (geq_minr _ _) (rank_leq_row _).
Qed.
End Commuting.
