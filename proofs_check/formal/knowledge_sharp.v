(* Theorem K, sharp: entities with equal shares that know a share of what they publish. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem universal.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Knowledge.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (P A B S N : 'M[C]_d) (x y z u v : 'cV[C]_d).

(* One term: a fit t to x in the norm of P, by someone who knows k A, where A <= P, and more. *)
Theorem knowledge_sharp_term P A B (k : C) x t : psd P -> psd A -> psd B -> 0 <= k -> (forall z, form A z <= form P z) ->
  form P x = 1 -> (P + k *: A + B) *m t = P *m x ->
  `|bil A x t| <= (form A x + sqrtC (form A x * (1 + k - k * form A x))) / (2%:R * (1 + k)).
Proof.
move=> psdP psdA psdB k0 AP unit fit; set e := form A x; pose N := P + k *: A.
have psdN : psd N by apply: psd_add => //; apply: psd_scale.
have PN z : form P z <= form N z by rewrite {2}/form bil_add bil_scale ler_addl mulr_ge0 ?psdA.2.
have [D PD] := dominated psdP psdN PN; have [D' AD] := dominated psdA psdN (fun z => le_trans (AP z) (PN z)).
pose dd := D *m x; pose q := D' *m x.
have Nd : N *m dd = P *m x by rewrite mulmxA -PD.
have Nq : N *m q = A *m x by rewrite mulmxA -AD.
clearbody dd q; pose r := dd - (t + t); have e0 : 0 <= e := psdA.2 x.
have k1 : 0 < 1 + k by apply: ltr_paddr; [|apply: ltr01].
pose n := form N q; pose m := form N dd; have n0 : 0 <= n := psdN.2 q; have m0 : 0 <= m := psdN.2 dd.
have small : form N r <= m.
  by rewrite /r (fit_reflects psdN psdB) -/m ?ler_subl_addr ?ler_addl ?mulrn_wge0 ?psdB.2 // fit.
have qAx : bil A q x = n by rewrite bil_mul -Nq -bil_mul.
have xAq : bil A x q = n by rewrite -(bilC q x psdA.1) qAx geC0_conj.
have dPx : bil P dd x = m by rewrite bil_mul -Nd -bil_mul.
have xPd : bil P x dd = m by rewrite -(bilC dd x psdP.1) dPx geC0_conj.
have A_mod y z : N *m y = N *m z -> A *m y = A *m z.
  move=> E; apply/eqP; rewrite -subr_eq0 -mulmxBr; apply/eqP/(psd_ker psdA)/le_anti; rewrite psdA.2 andbT.
  apply: le_trans (AP _) _; apply: le_trans (PN _) _; by rewrite /form bil_mul mulmxBr E subrr mulmx0 mxE.
have pE : bil A x dd = e - k * n.
  have same : A *m (k *: q + dd) = A *m x.
    by apply: A_mod; rewrite mulmxDr -scalemxAr Nq Nd /N mulmxDl -scalemxAl addrC.
  have := congr1 (fun v => (x^h *m v) 0 0) same; rewrite -!bil_mul bilDr bilZr xAq -/(form A x) -/e => <-.
  by rewrite addrC addKr.
have mE : m = 1 - k * (e - k * n).
  have : bil N x dd = 1 by rewrite bil_mul Nd -bil_mul -/(form P x).
  by rewrite bil_add bil_scale xPd pE => E; apply/eqP; rewrite eq_sym subr_eq -E.
have low : (1 + k) * n <= e.
  have [->|nonzero] := eqVneq n 0; first by rewrite mulr0.
  have pos : 0 < n by rewrite lt_neqAle eq_sym nonzero.
  rewrite -(ler_pmul2r pos); have cs : n ^+ 2 <= form A q * e.
    by rewrite -{1}qAx -[bil A q x]ger0_norm ?qAx // -qAx cauchy_schwarz.
  have share : (1 + k) * form A q <= n.
    by rewrite mulrDl mul1r /n /N {3}/form bil_add bil_scale -!/(form _ _) ler_add2r.
  rewrite -mulrA -expr2; apply: le_trans (ler_wpmul2l (ltW k1) cs) _.
  by rewrite mulrA [e * n]mulrC; apply: ler_wpmul2r.
have split_t : bil A x t *+ 2 = (e - k * n) - bil A x r.
  by rewrite /r bilDr bilNr bilDr pE opprB addrC subrK mulr2n.
have cross : `|bil A x r| ^+ 2 <= n * m.
  rewrite -(bilC r x psdA.1) norm_conjC bil_mul -Nq -bil_mul -(bilC q r psdN.1) norm_conjC.
  by apply: le_trans (cauchy_schwarz _ _ psdN) _; apply: ler_wpmul2l.
pose mu := e - (1 + k) * n; have mu0 : 0 <= mu by rewrite subr_ge0.
pose X := (1 + k) * m; pose Y := (1 + k) * n.
have X0 : 0 <= X by rewrite mulr_ge0 // ltW.
have Y0 : 0 <= Y by rewrite mulr_ge0 // ltW.
set root := sqrtC _; have [sX sY] : 0 <= sqrtC X /\ 0 <= sqrtC Y by rewrite !sqrtC_ge0.
have rootE : root ^+ 2 = (sqrtC X ^+ 2 + k ^+ 2 * mu) * (sqrtC Y ^+ 2 + mu).
  by rewrite !sqrtCK /X /Y /mu mE; scalar C.
have root0 : 0 <= root.
  rewrite sqrtC_ge0; have -> : e * (1 + k - k * e) = (X + k ^+ 2 * mu) * (Y + mu) by rewrite /X /Y /mu mE; scalar C.
  by apply: mulr_ge0; apply: addr_ge0 => //; apply: mulr_ge0 => //; apply: exprn_ge0.
have reach : sqrtC X * sqrtC Y + k * mu <= root.
  rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?addr_ge0 ?mulr_ge0 // rootE -subr_ge0.
  have -> : (sqrtC X ^+ 2 + k ^+ 2 * mu) * (sqrtC Y ^+ 2 + mu) - (sqrtC X * sqrtC Y + k * mu) ^+ 2
    = mu * (sqrtC X - k * sqrtC Y) ^+ 2 by move: (sqrtC X) (sqrtC Y) => a b; scalar C.
  by apply: mulr_ge0 => //; apply: real_exprn_even_ge0 => //; apply: rpredB; apply: ger0_real => //; apply: mulr_ge0.
have tail : (1 + k) * `|bil A x r| <= sqrtC X * sqrtC Y.
  rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?mulr_ge0 // ?(ltW k1) // !exprMn !sqrtCK /X /Y.
  have -> : (1 + k) * m * ((1 + k) * n) = (1 + k) ^+ 2 * (n * m) by scalar C.
  by apply: ler_wpmul2l => //; rewrite exprn_ge0 // ltW.
rewrite ler_pdivl_mulr ?mulr_gt0 ?ltr0n // mulrA mulr_natr -normrMn split_t.
have p0 : 0 <= e - k * n.
  by rewrite subr_ge0 (le_trans _ low) // mulrDl mul1r ler_addr.
apply: le_trans (ler_wpmul2r (ltW k1) (ler_norm_sub _ _)) _; rewrite (ger0_norm p0) mulrDl.
apply: (@le_trans _ _ (e + (sqrtC X * sqrtC Y + k * mu))); last by rewrite ler_add2l.
have -> : e + (sqrtC X * sqrtC Y + k * mu) = (e - k * n) * (1 + k) + sqrtC X * sqrtC Y.
  by rewrite /mu; move: (sqrtC X * sqrtC Y) => a; scalar C.
by rewrite ler_add2l mulrC.
Qed.

(* (sum_j s_j)^2 <= K sum_j s_j^2. *)
Lemma square_of_sum (s : K -> C) : (forall j, 0 <= s j) -> (\sum_j s j) ^+ 2 <= #|K|%:R * \sum_j s j ^+ 2.
Proof.
move=> pos; have real j : s j \is Num.real by apply: ger0_real.
have [none|some] := posnP #|K|.
  by rewrite none mul0r big1 ?expr0n // => j _; have := card0_eq none j.
have K0 : 0 < #|K|%:R :> C by rewrite ltr0n.
set S := \sum_j s j; have realS : S \is Num.real by apply: ger0_real; apply: sumr_ge0.
rewrite -(ler_pmul2l K0) -subr_ge0.
have -> : #|K|%:R * (#|K|%:R * \sum_j s j ^+ 2) - #|K|%:R * S ^+ 2 = \sum_j (#|K|%:R * s j - S) ^+ 2.
  have term j : (#|K|%:R * s j - S) ^+ 2 = #|K|%:R * (#|K|%:R * s j ^+ 2) - (#|K|%:R * S * s j) *+ 2 + S ^+ 2.
    by move: (#|K|%:R) => c; scalar C.
  rewrite (eq_bigr _ (fun j _ => term j)) big_split sumrB /= sumr_const sumrMnl -!mulr_sumr -/S -[X in _ = _ + X]mulr_natl.
  by move: (\sum_j _) => b; move: (#|K|%:R) => c; scalar C.
by apply: sumr_ge0 => j _; apply: real_exprn_even_ge0 => //; apply: rpredB => //; apply: rpredM => //; apply: realn.
Qed.

(* The sum of all terms is largest for equal e_j. *)
Theorem knowledge_sharp_sum (e : K -> C) (k : C) : 0 <= k -> (forall j, 0 <= e j) -> \sum_j e j = 1 ->
  \sum_j (e j + sqrtC (e j * (1 + k - k * e j))) <= 1 + sqrtC (#|K|%:R + (#|K|%:R - 1) * k).
Proof.
move=> k0 pos total; rewrite big_split /= total ler_add2l.
have below j : e j <= 1 by rewrite -total (bigD1 j) //= ler_addl sumr_ge0.
have inside j : 0 <= e j * (1 + k - k * e j).
  by apply: mulr_ge0 => //; rewrite -addrA addr_ge0 ?ler01 // -{1}[k]mulr1 -mulrBr mulr_ge0 // subr_ge0.
have some : (0 < #|K|)%N.
  rewrite lt0n; apply/eqP => none; have := oner_neq0 C; rewrite -total big1 ?eqxx // => j _.
  by have := card0_eq none j.
have K1 : 0 <= #|K|%:R - 1 :> C by rewrite subr_ge0 (ler_nat _ 1).
rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?sqrtC_ge0 ?sumr_ge0 ?addr_ge0 ?mulr_ge0 ?ler0n // => [|j _]; last by rewrite sqrtC_ge0.
rewrite sqrtCK; apply: le_trans (square_of_sum _) _ => [j|]; first by rewrite sqrtC_ge0.
have -> : \sum_j sqrtC (e j * (1 + k - k * e j)) ^+ 2 = 1 + k - k * \sum_j e j ^+ 2.
  have term j : sqrtC (e j * (1 + k - k * e j)) ^+ 2 = (1 + k) * e j - k * e j ^+ 2 by rewrite sqrtCK; scalar C.
  by rewrite (eq_bigr _ (fun j _ => term j)) sumrB -!mulr_sumr total mulr1.
have := square_of_sum pos; rewrite total expr1n => spread.
rewrite -subr_ge0; have -> : #|K|%:R + (#|K|%:R - 1) * k - #|K|%:R * (1 + k - k * \sum_j e j ^+ 2)
  = k * (#|K|%:R * (\sum_j e j ^+ 2) - 1) by move: (#|K|%:R) (\sum_j _) => c b; scalar C.
by rewrite mulr_ge0 // subr_ge0.
Qed.

(* Theorem K, sharp: entities with equal shares that know kappa of what they publish, beside public data that are worth t of the
   pool. *)
Theorem knowledge_sharp alpha (S R : K -> 'M[C]_d) (kappa t lambda : C) : 0 <= kappa -> 0 <= t ->
  let w (j : K) : C := #|K|%:R^-1 in let k := #|K|%:R * kappa / (1 + t) in
  ecosystem alpha (fun=> w) S R -> mode alpha (fun=> w) S R lambda ->
  (forall j, psd (R j - alpha j *: (kappa *: S j + t *: \sum_i w i *: S i))) ->
  `|lambda| <= (1 + sqrtC (#|K|%:R + (#|K|%:R - 1) * k)) / (2%:R * (1 + k) * (1 + t)).
Proof.
move=> kappa0 t0 w k eco found knows; have t1 : 0 < 1 + t by apply: ltr_paddr; [|apply: ltr01].
have [posa posW psdS psdR] := eco; have [_ [[k1 _] _]] := found.
have some : (0 < #|K|)%N by apply/card_gt0P; exists k1.
have n0 : (#|K|%:R : C) != 0 by rewrite pnatr_eq0 -lt0n.
have k0 : 0 <= k by apply: divr_ge0 (ltW t1); apply: mulr_ge0 => //; apply: ler0n.
have kk : 0 < 1 + k by apply: ltr_paddr; [|apply: ltr01].
have rhs0 : 0 <= (1 + sqrtC (#|K|%:R + (#|K|%:R - 1) * k)) / (2%:R * (1 + k) * (1 + t)).
  apply: divr_ge0; last by apply: mulr_ge0 (ltW t1); apply: mulr_ge0 (ler0n _ _) (ltW kk).
  apply: addr_ge0; first exact: ler01.
  rewrite sqrtC_ge0; apply: addr_ge0; first exact: ler0n.
  by apply: mulr_ge0 => //; rewrite subr_ge0 (ler_nat _ 1).
have [->|nonzero] := eqVneq lambda 0; first by rewrite normr0.
have [x [y [pos psdB reflected moved]]] := mode_reflects eco nonzero found.
have posw := posW k1; have psdP := weighted_psd posw psdS; set P := \sum_j w j *: S j in pos reflected moved psdP knows.
pose A j := w j *: S j; have psdA j : psd (A j) := psd_scale (posw j) (psdS j).
have AP j z : form (A j) z <= form P z by rewrite {1}/form bil_scale; apply: below_sum.
pose s := (sqrtC (form P x))^-1; pose v := s *: x; pose u j := ((1 + t) * s / 2%:R) *: (y j + x).
have s0 : 0 < s by rewrite invr_gt0 sqrtC_gt0.
have unit : form P v = 1.
  by rewrite /v formZ (ger0_norm (ltW s0)) /s exprVn sqrtCK mulVf // lt0r_neq0.
pose B j := (1 + t)^-1 *: ((alpha j)^-1 *: R j - (kappa *: S j + t *: P)).
have psdB' j : psd (B j).
  apply: psd_scale; first by rewrite invr_ge0 ltW.
  have -> : (alpha j)^-1 *: R j - (kappa *: S j + t *: P) = (alpha j)^-1 *: (R j - alpha j *: (kappa *: S j + t *: P)).
    by rewrite scalerBr scalerA mulVf ?scale1r // lt0r_neq0.
  by apply: psd_scale (knows j); rewrite invr_ge0 ltW.
have cancel (p a b z : 'M[C]_d) : p + a + b + (z - (b + a)) = p + z.
  by rewrite -(addrA p) [b + a]addrC [z - _]addrC addrA addrK.
have fit j : (P + k *: A j + B j) *m u j = P *m v.
  have two : (2%:R : C) != 0 by rewrite pnatr_eq0.
  have G : (1 + t) *: (P + k *: A j + B j) = P + (alpha j)^-1 *: R j.
    have kw : (1 + t) * (k * w j) = kappa.
      transitivity ((1 + t) / (1 + t) * (#|K|%:R / #|K|%:R) * kappa); last by rewrite (divff (lt0r_neq0 t1)) (divff n0) !mul1r.
      by rewrite /k /w; move: (#|K|%:R) (#|K|%:R^-1) ((1 + t)^-1) => a b c; scalar C.
    have own : (1 + t) *: B j = (alpha j)^-1 *: R j - (kappa *: S j + t *: P).
      by rewrite /B scalerA divff ?scale1r // lt0r_neq0.
    rewrite scalerDr own scalerDr [(1 + t) *: (k *: A j)]scalerA scalerA -mulrA kw scalerDl scale1r.
    exact: cancel.
  rewrite -scalemxAr; have -> : (1 + t) * s / 2%:R = s / 2%:R * (1 + t) by rewrite -mulrA mulrC.
  rewrite -scalerA scalemxAl G reflected mulmxDr -mulr2n -scaler_nat scalerA mulfVK // /v -scalemxAr //.
have total : \sum_j form (A j) v = 1 by rewrite -unit {2}/form /P bil_sum; apply: eq_bigr => j _.
have sent : \sum_j bil (A j) v (u j) = (1 + t) * lambda.
  have two : (2%:R : C) != 0 by rewrite pnatr_eq0.
  have -> : \sum_j bil (A j) v (u j) = (v^h *m ((1 + t) *: (lambda *: (P *m v)))) 0 0; last first.
    by rewrite scalerA -scalemxAr mxE -bil_mul -/(form P v) unit mulr1.
  have -> : \sum_j bil (A j) v (u j) = (v^h *m (\sum_j A j *m u j)) 0 0.
    by rewrite mulmx_sumr summxE; apply: eq_bigr => j _; rewrite bil_mul.
  congr ((_ *m _) 0 0); have Px : \sum_j A j *m x = P *m x by rewrite mulmx_suml.
  have My : \sum_j A j *m y j = P *m ((lambda *+ 2 - 1) *: x).
    by rewrite moved; apply: eq_bigr => j _; rewrite scalemxAl.
  have -> : \sum_j A j *m u j = ((1 + t) * s / 2%:R) *: (\sum_j A j *m y j + \sum_j A j *m x).
    by rewrite -big_split scaler_sumr; apply: eq_bigr => j _; rewrite /u -scalemxAr mulmxDr.
  rewrite My Px -mulmxDr -[X in _ *m (_ + X)]scale1r -scalerDl subrK /v -!scalemxAr !scalerA; congr (_ *: _).
  by rewrite -[RHS]mul1r -[X in _ = X * _](divff two); move: (2%:R^-1) => h; scalar C.
rewrite ler_pdivl_mulr; last by apply: mulr_gt0 => //; apply: mulr_gt0 => //; apply: ltr0Sn.
rewrite mulrCA mulrC -(ger0_norm (ltW t1)).
have c0 : 0 < 2%:R * (1 + k) by apply: mulr_gt0 => //; apply: ltr0Sn.
rewrite -normrM [lambda * _]mulrC -sent; apply: le_trans (ler_wpmul2r (ltW c0) (ler_norm_sum _ _ _)) _.
rewrite mulr_suml; apply: le_trans (knowledge_sharp_sum k0 (fun j => (psdA j).2 v) total); apply: ler_sum => j _.
rewrite -ler_pdivl_mulr //; exact: (knowledge_sharp_term psdP (psdA j) (psdB' j) k0 (AP j) unit (fit j)).
Qed.
End Knowledge.
