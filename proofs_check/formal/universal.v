(* Theorem U: with one pool, every eigenvalue lambda of Q satisfies |2 lambda - 1|^2 <= m, where m is the smaller of the number
   of entities that are read and the rank of the pool's Gram matrix P = sum w_j S_j. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Trace.
Variable F : numFieldType.

(* The trace of a projection is its rank. *)
Lemma trace_projection n (E : 'M[F]_n) : E *m E = E -> \tr E = (\rank E)%:R.
Proof.
move: (col_base E) (row_base E) (mulmx_base E) (col_base_full E) (row_base_free E) => c r cr full free EE.
have one : r *m c = 1%:M.
  by apply: (row_full_inj full); apply: (row_free_inj free); rewrite mulmx1 mulmxA cr -mulmxA cr EE.
by rewrite -{1}cr mxtrace_mulC one mxtrace1.
Qed.
End Trace.

Section Universal.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (A P R : 'M[C]_d) (x y u v : 'cV[C]_d).

Lemma below_sum (w : K -> C) (S : K -> 'M[C]_d) j y : (forall j, 0 <= w j) -> (forall j, psd (S j)) ->
  w j * form (S j) y <= form (\sum_i w i *: S i) y.
Proof.
move=> posw psdS; rewrite {2}/form bil_sum (bigD1 j) //= bil_scale ler_addl; apply: sumr_ge0 => i _.
by rewrite bil_scale; apply: mulr_ge0 => //; exact: (psdS i).2.
Qed.

(* The map from x to y = 2 t - x, where t is a fit to x, does not expand the norm of P, and is symmetric in its inner product. *)
Definition reflects P R x y : Prop := (P + R) *m (y + x) = P *m (x + x).

Lemma reflect_le P R x y : psd P -> psd R -> reflects P R x y -> form P y <= form P x.
Proof.
move=> psdP psdR E; have half : (2%:R : C) != 0 by rewrite pnatr_eq0.
pose t := 2%:R^-1 *: (y + x).
have tt : t + t = y + x by rewrite -scalerDl -[2%:R^-1]mulr1 -mulrDr -mulr2n mulVf // scale1r.
have normal : (P + R) *m t = P *m x.
  apply: (scalerI half); rewrite /t -scalemxAr scalerA divff // scale1r E.
  by rewrite mulmxDr -mulr2n scaler_nat.
have -> : form P y = form P (x - (t + t)).
  by rewrite tt addrC opprD addrNK -[- y]scaleN1r formZ normrN1 expr1n mul1r.
by rewrite (fit_reflects psdP psdR normal) ler_subl_addr ler_addl mulrn_wge0 ?psdR.2.
Qed.

Lemma reflect_sym P R x y u v : psd P -> psd R -> reflects P R x y -> reflects P R v u -> bil P v y = bil P u x.
Proof.
move=> psdP psdR Ey Eu; have [symG _] := psd_add psdP psdR.
have E1 : bil (P + R) (u + v) (y + x) = bil P u (x + x) + bil P v (x + x) by rewrite bil_mul Ey -bil_mul bilDl.
have E2 : bil (P + R) (u + v) (y + x) = bil P (v + v) y + bil P (v + v) x.
  rewrite -(bilC _ _ symG) bil_mul Eu -bil_mul (bilC _ _ psdP.1) bilDr //.
have : (bil P v y) *+ 2 = (bil P u x) *+ 2.
  apply: (addIr (bil P v x *+ 2)); move: E2; rewrite E1 !bilDl !bilDr => E2.
  by rewrite !mulr2n.
by move/eqP; rewrite eqr_pmuln2r // => /eqP.
Qed.

Lemma reflect_exists P R v : psd P -> psd R -> exists u, reflects P R v u.
Proof.
move=> psdP psdR; have [|D PD] := dominated psdP (psd_add psdP psdR).
  by move=> y; rewrite {2}/form bil_add ler_addl psdR.2.
by exists (D *m (v + v) - v); rewrite /reflects subrK mulmxA -PD.
Qed.

Lemma outer_range P (a : 'cV[C]_d) : psd P -> (forall y, form (a *m a^h) y <= form P y) -> exists v, a = P *m v.
Proof.
move=> psdP below; have [|D aD] := dominated _ psdP below.
  by split=> [|y]; rewrite ?outer_hermitian // form_outer exprn_ge0.
have [zero|nonzero] := eqVneq ((a^h *m a) 0 0) 0; first by exists 0; rewrite mulmx0; apply: norm_eq0.
exists (((a^h *m a) 0 0)^-1 *: (D *m a)); rewrite -scalemxAr mulmxA -aD -mulmxA.
have -> : a^h *m a = ((a^h *m a) 0 0)%:M by apply/matrixP => i j; rewrite !ord1 [in RHS]mxE eqxx mulr1n.
by rewrite mul_mx_scalar scalerA [in X in X * _]mxE eqxx mulr1n mulVf // scale1r.
Qed.

(* y* A y is at most tr(A P^-1) x* P x. *)
Lemma trace_bound P A R x y : psd P -> psd A -> psd R -> (forall z, form A z <= form P z) -> reflects P R x y ->
  exists N, A = P *m N *m P /\ form A y <= \tr (P *m N) * form P x.
Proof.
move=> psdP psdA psdR below reflected; have [n [a Aa]] := sum_of_squares psdA.
have square i z : form (a i *m (a i)^h) z <= form P z.
  apply: le_trans (below z); rewrite Aa {2}/form bil_sum (bigD1 i) //= ler_addl.
  by apply: sumr_ge0 => k _; rewrite -/(form _ _) form_outer exprn_ge0.
have /fin_all_exists[v av] : forall i, exists v, a i = P *m v by move=> i; apply: outer_range (square i).
have /fin_all_exists[u uv] : forall i, exists u, reflects P R (v i) u by move=> i; apply: reflect_exists.
exists (\sum_i v i *m (v i)^h); split.
  rewrite Aa mulmx_sumr mulmx_suml; apply: eq_bigr => i _.
  by rewrite av adjointM psdP.1 !mulmxA.
have -> : form A y = \sum_i `|bil P (u i) x| ^+ 2.
  rewrite Aa {1}/form bil_sum; apply: eq_bigr => i _; rewrite -/(form _ _) form_outer av adjointM psdP.1.
  by rewrite -(reflect_sym psdP psdR reflected (uv i)).
have -> : \tr (P *m (\sum_i v i *m (v i)^h)) = \sum_i form P (v i).
  rewrite mulmx_sumr raddf_sum; apply: eq_bigr => i _ /=.
  by rewrite mulmxA mxtrace_mulC /form bil_mul /mxtrace big_ord1.
rewrite mulr_suml; apply: ler_sum => i _; apply: le_trans (cauchy_schwarz _ _ psdP) _.
by apply: ler_wpmul2r; [exact: psdP.2 | apply: reflect_le (uv i)].
Qed.

Lemma rank_bound (A R : K -> 'M[C]_d) x (y : K -> 'cV[C]_d) : (forall j, psd (A j)) -> (forall j, psd (R j)) ->
  (forall j, reflects (\sum_i A i) (R j) x (y j)) ->
  \sum_j form (A j) (y j) <= (\rank (\sum_i A i)%R)%:R * form (\sum_i A i) x.
Proof.
move=> psdA psdR reflected; have psdP := psd_sum psdA; set P := \sum_i _ in reflected psdP *.
have below j z : form (A j) z <= form P z.
  by rewrite {2}/form bil_sum (bigD1 j) //= ler_addl; apply: sumr_ge0 => i _; exact: (psdA i).2.
have /fin_all_exists[N AN] : forall j, exists N, A j = P *m N *m P /\ form (A j) (y j) <= \tr (P *m N) * form P x.
  by move=> j; apply: trace_bound (below j) (reflected j).
have PN : P *m (\sum_j N j) *m P = P.
  by rewrite mulmx_sumr mulmx_suml {3}/P; apply: eq_bigr => j _; rewrite -(AN j).1.
apply: (@le_trans _ _ (\tr (P *m \sum_j N j) * form P x)).
  rewrite mulmx_sumr raddf_sum mulr_suml; apply: ler_sum => j _; exact: (AN j).2.
rewrite trace_projection ?mulmxA ?PN //; apply: ler_wpmul2r; first exact: psdP.2.
by rewrite ler_nat; exact: (mxrankM_maxl P (\sum_j N j)).
Qed.

(* A mode reflects a consensus x in every entity, and moves it by 2 lambda - 1. *)
Lemma mode_reflects alpha (w : K -> C) (S R : K -> 'M[C]_d) lambda : ecosystem alpha (fun=> w) S R -> lambda != 0 ->
  mode alpha (fun=> w) S R lambda -> let P := \sum_j w j *: S j in
  exists x (y : K -> 'cV[C]_d), [/\ 0 < form P x, forall j, psd ((alpha j)^-1 *: R j), forall j, reflects P ((alpha j)^-1 *: R j) x (y j)
    & P *m ((lambda *+ 2 - 1) *: x) = \sum_j w j *: (S j *m y j)].
Proof.
move=> [posa posW psdS psdR] nonzero [theta [[_ [k read]] trained]] /=; have posw := posW k.
have [x consensus] := consensus_exists theta posw psdS; have psdP := weighted_psd posw psdS.
set P := \sum_j w j *: S j in consensus psdP *.
pose B j := (alpha j)^-1 *: R j; have psdB j : psd (B j) by apply: psd_scale => //; rewrite invr_ge0 ltW.
pose y j := lambda *: theta j + lambda *: theta j - x.
have fit j : (P + B j) *m (lambda *: theta j) = P *m x.
  apply: (scalerI (lt0r_neq0 (posa j))); rewrite consensus -(trained j) scalemxAl scalerDr scalerA.
  by rewrite divff ?lt0r_neq0 // scale1r.
have reflected j : reflects P (B j) x (y j) by rewrite /reflects subrK !mulmxDr !fit.
have moved : P *m ((lambda *+ 2 - 1) *: x) = \sum_j w j *: (S j *m y j).
  have term j : w j *: (S j *m y j) = lambda *: (w j *: (S j *m theta j)) *+ 2 - (w j *: S j) *m x.
    by rewrite /y mulmxBr mulmxDr -!scalemxAr -scalemxAl scalerBr scalerDr !scalerA [w j * lambda]mulrC mulr2n.
  rewrite (eq_bigr _ (fun j _ => term j)) sumrB sumrMnl -scaler_sumr -consensus -mulmx_suml -/P.
  by rewrite -scalemxAr scalerBl scale1r scalerMnl.
have pos : 0 < form P x.
  rewrite lt_neqAle psdP.2 andbT eq_sym; apply: contra read => /eqP/(psd_ker psdP) Px.
  have zero : (P + B k) *m theta k = 0.
    by apply: (scalerI nonzero); rewrite scalemxAr fit Px scaler0.
  have sum0 : form P (theta k) + form (B k) (theta k) = 0 by rewrite -bil_add bil_mul zero mulmx0 mxE.
  have Pk : form P (theta k) = 0.
    by apply/eqP; move/eqP: sum0; rewrite paddr_eq0 ?psdP.2 ?(psdB k).2 // => /andP[].
  rewrite scalemxAl; apply/eqP; apply: psd_ker; first exact: psd_scale.
  apply/le_anti; rewrite (psd_scale (posw k) (psdS k)).2 andbT -Pk /form bil_scale.
  exact: below_sum.
by exists x, y.
Qed.

(* The disc of the eigenvalues. *)
Lemma disc alpha (w : K -> C) (S R : K -> 'M[C]_d) lambda : ecosystem alpha (fun=> w) S R -> lambda != 0 ->
  mode alpha (fun=> w) S R lambda -> let m := minn #|[pred j | w j != 0]| (\rank (\sum_j w j *: S j)%R) in
  `|lambda *+ 2 - 1| ^+ 2 <= m%:R.
Proof.
move=> eco nonzero found /=; have [x [y [pos psdB reflected moved]]] := mode_reflects eco nonzero found.
have [_ posW psdS _] := eco; have [_ [[k _] _]] := found; have posw := posW k; have psdP := weighted_psd posw psdS.
set P := \sum_j w j *: S j in pos reflected moved psdP *; pose B j := (alpha j)^-1 *: R j.
have := theoremK_consensus posw psdS moved; rewrite formZ -/P => bound.
rewrite -(ler_pmul2r pos); apply: le_trans bound _.
have by_entities : \sum_j w j * form (S j) (y j) <= (#|[pred j | w j != 0]|)%:R * form P x.
  rewrite (bigID [pred j | w j != 0]) /= [X in _ + X]big1 ?addr0 => [|j]; last by rewrite negbK => /eqP->; rewrite mul0r.
  rewrite mulr_natl -sumr_const; apply: ler_sum => j _.
  exact: le_trans (below_sum j (y j) posw psdS) (reflect_le psdP (psdB j) (reflected j)).
have by_rank : \sum_j w j * form (S j) (y j) <= (\rank P)%:R * form P x.
  have := rank_bound (fun j => psd_scale (posw j) (psdS j)) psdB reflected; rewrite -/P; apply: le_trans.
  by apply: ler_sum => j _; rewrite /form bil_scale.
by case: leqP.
Qed.

Theorem theoremU alpha (w : K -> C) (S R : K -> 'M[C]_d) lambda : ecosystem alpha (fun=> w) S R ->
  mode alpha (fun=> w) S R lambda -> let m := minn #|[pred j | w j != 0]| (\rank (\sum_j w j *: S j)%R) in
  `|lambda| <= (1 + sqrtC m%:R) / 2%:R.
Proof.
move=> eco found /=; set m := minn _ _; have root : 0 <= sqrtC m%:R :> C by rewrite sqrtC_ge0 ler0n.
have [->|nonzero] := eqVneq lambda 0; first by rewrite normr0 divr_ge0 ?addr_ge0 ?ler0n ?ler01.
have near : `|lambda *+ 2 - 1| <= sqrtC m%:R.
  by rewrite -(@ler_pexpn2r _ 2) ?nnegrE // sqrtCK; apply: disc found.
rewrite ler_pdivl_mulr ?ltr0n // mulr_natr -normrMn -[lambda *+ 2](subrK 1) addrC.
by apply: le_trans (ler_norm_add _ _) _; rewrite normr1 ler_add2l.
Qed.

(* Theorem U for given prompts: nu bounds sum_j |A_j x| in whitened coordinates, where A_j = P^(-1/2) w_j S_j P^(-1/2). *)
Theorem theoremU_prompts alpha (w : K -> C) (S R : K -> 'M[C]_d) nu lambda : ecosystem alpha (fun=> w) S R ->
  let P := \sum_j w j *: S j in
  (forall x (v : K -> 'cV[C]_d), (forall j, P *m v j = w j *: (S j *m x)) -> \sum_j sqrtC (form P (v j)) <= nu * sqrtC (form P x)) ->
  0 <= nu -> mode alpha (fun=> w) S R lambda -> `|lambda| <= (1 + nu) / 2%:R.
Proof.
move=> eco P prompts nu0 found.
have [->|nonzero] := eqVneq lambda 0; first by rewrite normr0 divr_ge0 ?addr_ge0 ?ler0n ?ler01.
have [x [y [pos psdB reflected moved]]] := mode_reflects eco nonzero found; rewrite -/P in pos reflected moved.
have [_ posW psdS _] := eco; have [_ [[k _] _]] := found; have posw := posW k; have psdP : psd P := weighted_psd posw psdS.
have /fin_all_exists[v Pv] : forall j, exists v, P *m v = w j *: (S j *m x).
  move=> j; have [|D PD] := dominated (psd_scale (posw j) (psdS j)) psdP; last by exists (D *m x); rewrite mulmxA -PD scalemxAl.
  by move=> z; rewrite {1}/form bil_scale; apply: below_sum.
have near : `|lambda *+ 2 - 1| <= nu.
  rewrite -(ler_pmul2r pos) -{1}(ger0_norm (ltW pos)) -normrM -bilZr bil_mul moved mulmx_sumr summxE.
  apply: le_trans (ler_norm_sum _ _ _) _; rewrite -[in X in _ <= X](sqrtCK (form P x)) expr2 mulrA.
  apply: le_trans (ler_wpmul2r _ (prompts x v Pv)); last by rewrite sqrtC_ge0 psdP.2.
  rewrite mulr_suml; apply: ler_sum => j _.
  have -> : (x^h *m (w j *: (S j *m y j))) 0 0 = bil P (v j) (y j).
    have entry (a : C) (M : 'M[C]_1) : (a *: M) 0 0 = a * M 0 0 by rewrite mxE.
    rewrite -(bilC _ _ psdP.1) bil_mul Pv -!scalemxAr !entry rmorphM /= geC0_conj // -!bil_mul bilC //.
    exact: (psdS j).1.
  rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?mulr_ge0 ?sqrtC_ge0 ?psdP.2 // exprMn !sqrtCK.
  apply: le_trans (cauchy_schwarz _ _ psdP) _; apply: ler_wpmul2l; first exact: psdP.2.
  exact: reflect_le (reflected j).
rewrite ler_pdivl_mulr ?ltr0n // mulr_natr -normrMn -[lambda *+ 2](subrK 1) addrC.
by apply: le_trans (ler_norm_add _ _) _; rewrite normr1 ler_add2l.
Qed.

(* Public data that are worth t of the pool to every entity shrink the bound by 1 + t. *)
Theorem theoremU_public alpha (w : K -> C) (S R : K -> 'M[C]_d) t lambda : ecosystem alpha (fun=> w) S R -> 0 <= t ->
  (forall k, psd (R k - (t * alpha k) *: \sum_j w j *: S j)) ->
  mode alpha (fun=> w) S R lambda -> let m := minn #|[pred j | w j != 0]| (\rank (\sum_j w j *: S j)%R) in
  `|lambda| <= (1 + sqrtC m%:R) / (2%:R * (1 + t)).
Proof.
move=> [posa posW psdS psdR] t0 psdB [theta [read trained]] /=.
set P := \sum_j w j *: S j in psdB trained *; set m := minn _ _.
have t1 : 0 < 1 + t by apply: ltr_paddr; [|apply: ltr01].
pose B k := (1 + t)^-1 *: (R k - (t * alpha k) *: P).
have eco' : ecosystem alpha (fun=> w) S B.
  by split=> // k; apply: psd_scale (psdB k); rewrite invr_ge0 ltW.
have found : mode alpha (fun=> w) S B ((1 + t) * lambda).
  exists theta; split=> // k; rewrite -trained -/P -scalerA -scalemxAr scalemxAl scalerDr /B scalerA.
  congr (_ *m _); rewrite scalerA divff ?lt0r_neq0 // scale1r mulrDl mul1r scalerDl -addrA; congr (_ + _).
  by rewrite addrC subrK.
have := theoremU eco' found; rewrite -/P -/m normrM (ger0_norm (ltW t1)) => bound.
rewrite ler_pdivl_mulr ?mulr_gt0 ?ltr0n // mulrCA mulrC -ler_pdivl_mulr ?ltr0n //.
by rewrite mulrC.
Qed.

(* A generation has a fit for every pool: what is read lies in the range of what an entity trains on. *)
Theorem theoremU_assumption a (P R : 'M[C]_d) : 0 < a -> psd P -> psd R -> exists D, P = (a *: P + R) *m D.
Proof.
move=> posa psdP psdR; have psdaP := psd_scale (ltW posa) psdP.
have [|D PD] := dominated psdaP (psd_add psdaP psdR); first by move=> y; rewrite {2}/form bil_add ler_addl psdR.2.
by exists (a^-1 *: D); rewrite -scalemxAr -PD scalerA mulVf ?scale1r // lt0r_neq0.
Qed.
End Universal.

(* A lone model: every eigenvalue lies in [0, 1]. *)
Theorem theoremU_lone (C : numClosedFieldType) d a (S R : 'M[C]_d) (t : 'cV_d) lambda : 0 < a -> psd S -> psd R -> S *m t != 0 ->
  (a *: S + R) *m (lambda *: t) = a *: (S *m t) -> 0 <= lambda <= 1.
Proof.
move=> posa psdS psdR read fit; have := congr1 (fun v => (t^h *m v) 0 0) fit.
rewrite -bil_mul bilZr bil_add bil_scale -scalemxAr [X in _ = X]mxE -bil_mul -!/(form _ _) => E.
have s0 : 0 < form S t by rewrite lt_neqAle psdS.2 andbT eq_sym; apply: contra read => /eqP/(psd_ker psdS) ->.
have g0 : 0 < a * form S t + form R t by rewrite ltr_paddr ?psdR.2 // mulr_gt0.
have -> : lambda = a * form S t / (a * form S t + form R t) by rewrite -[X in X / _]E mulfK ?lt0r_neq0.
rewrite ler_pdivr_mulr // mul1r ler_addl psdR.2 andbT; apply: divr_ge0; last exact: ltW.
by apply: mulr_ge0; apply: ltW.
Qed.
