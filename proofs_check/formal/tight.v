(* The family of ecosystems that approaches Theorem U: m entities in m dimensions, each of which publishes about one direction
   e_j and knows one direction v_j = e_j - (1, ..., 1)/sqrt m. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Tight.
Variables (C : numClosedFieldType) (m : nat).
Add Ring scalars : (scalar_axioms C).

Definition unit_vector (j : 'I_m) : 'cV[C]_m := delta_mx j 0.
Definition known (j : 'I_m) : 'cV[C]_m := unit_vector j - (sqrtC m%:R)^-1 *: const_mx 1.
Definition tight_prompts (j : 'I_m) : 'M[C]_m := m%:R *: (unit_vector j *m (unit_vector j)^h).
Definition tight_real (alpha strength : C) (j : 'I_m) : 'M[C]_m :=
  (alpha * (strength / (2%:R * (1 - (sqrtC m%:R)^-1)))) *: (known j *m (known j)^h).

Lemma outer_psd n (a : 'cV[C]_n) : psd (a *m a^h).
Proof. by split=> [|y]; rewrite ?outer_hermitian // form_outer exprn_ge0. Qed.

Lemma balance_identity (k l r g gi : C) :
  k * r + l * gi * (- (r * g) + k * (r * g)) = k * r + gi * g * (l * (k * r - r)).
Proof. by scalar C. Qed.
Lemma kappa_identity (k l r : C) : k * r + l * (k * r - r) = (k * (1 + l) - l) * r.
Proof. by scalar C. Qed.

Theorem theoremU_tight alpha strength : (1 < m)%N -> 0 < alpha -> 0 <= strength ->
  let w := fun=> m%:R^-1 in let R := tight_real alpha strength in
  let lambda := 1 + strength / (1 + strength) * ((sqrtC m%:R - 1) / 2%:R) in
  [/\ ecosystem (fun=> alpha) (fun=> w) tight_prompts R, \sum_j w j *: tight_prompts j = 1%:M,
      mode (fun=> alpha) (fun=> w) tight_prompts R lambda
    & forall mu, mode (fun=> alpha) (fun=> w) tight_prompts R mu -> mu = lambda \/ mu = 1 - strength / (1 + strength) / 2%:R].
Proof.
move=> m1 a0 l0 w R lambda; set s := sqrtC m%:R in lambda *.
have m0 : (m%:R : C) != 0 by rewrite pnatr_eq0 -lt0n (ltn_trans _ m1).
have s1 : 1 < s.
  by rewrite -(@ltr_pexpn2r _ 2) ?nnegrE ?ler01 ?sqrtC_ge0 ?ler0n // expr1n sqrtCK (ltr_nat _ 1).
have s0 : 0 < s := lt_trans ltr01 s1.
have ss : s * s = m%:R by rewrite -expr2 sqrtCK.
have i1 : 0 < 1 - s^-1 by rewrite subr_gt0 invf_lt1.
have one : \sum_j w j *: tight_prompts j = 1%:M.
  transitivity (\sum_j unit_vector j *m (unit_vector j)^h).
    by apply: eq_bigr => j _; rewrite scalerA mulVf // scale1r.
  apply/matrixP => p q; rewrite summxE (bigD1 p) //= big1 => [|j ne].
    rewrite addr0 mxE big_ord1 !mxE !eqxx mul1r [q == p]eq_sym; case: (p == q); by rewrite ?conjC1 ?conjC0.
  by rewrite mxE big_ord1 !mxE eq_sym (negbTE ne) mul0r.
have eco : ecosystem (fun=> alpha) (fun=> w) tight_prompts R.
  split=> // [_ j|k|k]; first by rewrite invr_ge0 ler0n.
    by apply: psd_scale (outer_psd _); rewrite ler0n.
  apply: psd_scale (outer_psd _); apply: mulr_ge0; first exact: ltW.
  by apply: divr_ge0 => //; apply: mulr_ge0; rewrite ?ler0n // ltW.
pose x : 'cV[C]_m := const_mx 1; pose kappa := strength / (1 + strength).
have kappa0 : 0 <= kappa by rewrite divr_ge0 // addr_ge0 ?ler01.
have lambda0 : 0 < lambda.
  by rewrite ltr_paddr ?ltr01 //; apply: mulr_ge0 => //; apply: divr_ge0; rewrite ?ler0n // subr_ge0 ltW.
have unit_read j (y : 'cV[C]_m) : (unit_vector j)^h *m y = (y j 0)%:M.
  apply/matrixP => p q; rewrite !ord1 !mxE eqxx mulr1n (bigD1 j) //= big1 => [|i ne]; rewrite !mxE ?(negbTE ne) ?eqxx ?conjC0 ?mul0r //.
  by rewrite conjC1 mul1r addr0.
have x_read j : x^h *m unit_vector j = 1%:M.
  by rewrite -[LHS]adjointK adjointM adjointK unit_read !mxE adjoint1.
have xx : x^h *m x = (m%:R)%:M.
  apply/matrixP => p q; rewrite !ord1 !mxE eqxx mulr1n (eq_bigr (fun=> 1)) ?sumr_const ?card_ord // => i _.
  by rewrite !mxE conjC1 mulr1.
have is0 : 0 < s^-1 by rewrite invr_gt0.
have knownh j : (known j)^h = (unit_vector j)^h - s^-1 *: x^h.
  by rewrite /known adjointD adjointN adjointZ (geC0_conj (ltW is0)).
have sis : s * s^-1 = 1 by rewrite divff ?lt0r_neq0.
have ms : s^-1 * m%:R = s by rewrite -ss mulrA mulVf ?mul1r ?lt0r_neq0.
have vx j : (known j)^h *m x = (1 - s)%:M.
  rewrite knownh mulmxBl unit_read mxE -scalemxAl xx scale_scalar_mx ms.
  by apply/matrixP => p q; rewrite !mxE !ord1 eqxx !mulr1n.
have vv j : (known j)^h *m known j = (2%:R * (1 - s^-1))%:M.
  rewrite {2}/known -/x mulmxBr -scalemxAr vx knownh mulmxBl unit_read -scalemxAl x_read !scale_scalar_mx.
  apply/matrixP => p q; rewrite !mxE !ord1 !eqxx !mulr1n.
  have -> : s^-1 * (1 - s) = s^-1 - 1 by rewrite mulrBr mulr1 mulrC sis.
  by scalar C.
pose t j := x + (kappa * s / 2%:R) *: known j.
have two : (2%:R : C) != 0 by rewrite pnatr_eq0.
pose g : C := 2%:R * (1 - s^-1); have g0 : g != 0 by rewrite mulf_neq0 // lt0r_neq0.
have half : 2%:R * (s / 2%:R) = s by rewrite mulrC divfK.
have across : 1 - s = - (s / 2%:R * g).
  by rewrite /g mulrA [s / _ * _]mulrC half mulrBr mulr1 sis opprB.
have kappaE : kappa * (1 + strength) = strength by rewrite divfK // lt0r_neq0 // ltr_paddr ?ltr01.
have balance : kappa * s / 2%:R + strength / g * ((1 - s) + kappa * s / 2%:R * g) = 0.
  by rewrite across -!(mulrA kappa) balance_identity mulVf // mul1r kappa_identity kappaE subrr mul0r.
have RE j : R j = (alpha * (strength / g)) *: (known j *m (known j)^h) by [].
have fit j : (alpha *: 1%:M + R j) *m t j = alpha *: x.
  rewrite RE mulmxDl -scalemxAl mul1mx -scalemxAl -mulmxA mulmxDr vx -scalemxAr vv scale_scalar_mx -raddfD /=.
  rewrite mul_mx_scalar scalerA scalerDr scalerA -addrA -scalerDl -(mulrA alpha) -mulrDr balance.
  by rewrite mulr0 scale0r addr0.
have published j (y : 'cV[C]_m) : w j *: (tight_prompts j *m y) = y j 0 *: unit_vector j.
  by rewrite -scalemxAl scalerA mulVf // scale1r -mulmxA unit_read mul_mx_scalar.
have own j : (lambda^-1 *: t j) j 0 = 1.
  rewrite mxE; have -> : t j j 0 = lambda; last by rewrite mulVf // lt0r_neq0.
  rewrite /t !mxE !eqxx /lambda mulr1; congr (_ + _); rewrite -/s -!mulrA; congr (_ * (_ * _)).
  by rewrite mulrCA mulrBr mulr1 sis mulrC.
have scaled j : lambda *: (lambda^-1 *: t j) = t j by rewrite scalerA divff ?scale1r // lt0r_neq0.
split=> //; last first.
  move=> mu [theta [[_ [k read]] trained]]; pose z j : C := theta j j 0; pose Z := \sum_j z j.
  have seen : \sum_j w j *: (tight_prompts j *m theta j) = \sum_j z j *: unit_vector j.
    by apply: eq_bigr => j _; rewrite published.
  pose y : 'cV[C]_m := \col_j z j.
  have yE : \sum_j z j *: unit_vector j = y.
    apply/matrixP => p q; rewrite !ord1 mxE summxE (bigD1 p) //= big1 => [|i ne]; first by rewrite !mxE !eqxx mulr1 addr0.
    by rewrite !mxE eq_sym (negbTE ne) mulr0.
  have motion j : mu * z j = z j - kappa / 2%:R * (z j - s^-1 * Z).
    pose a := ((known j)^h *m (mu *: theta j)) 0 0; pose b := ((known j)^h *m y) 0 0.
    have xy : x^h *m y = Z%:M.
      by apply/matrixP => p q; rewrite !ord1 [RHS]mxE eqxx mulr1n mxE; apply: eq_bigr => i _; rewrite !mxE conjC1 mul1r.
    have bE : b = z j - s^-1 * Z.
      by rewrite /b knownh mulmxBl unit_read -scalemxAl xy scale_scalar_mx -raddfB /= [LHS]mxE eqxx mulr1n mxE.
    have outer (v : 'cV[C]_m) : known j *m (known j)^h *m v = ((known j)^h *m v) 0 0 *: known j.
      rewrite -mulmxA; have -> : (known j)^h *m v = (((known j)^h *m v) 0 0)%:M by apply/matrixP => p q; rewrite !ord1 [RHS]mxE eqxx mulr1n.
      by rewrite mul_mx_scalar [in RHS]mxE eqxx mulr1n.
    have step : mu *: theta j + (strength / g * a) *: known j = y.
      apply: (scalerI (lt0r_neq0 a0)); rewrite -yE -seen -(trained j) one mulmxDl -scalemxAl mul1mx scalerDr; congr (_ + _).
      by rewrite RE -scalemxAl outer -/a !scalerA -(mulrA alpha).
    have aE : a * (1 + strength) = b.
      rewrite /b -step mulmxDr -(scalemxAr (strength / g * a)) vv scale_scalar_mx [RHS]mxE -/a [X in _ = _ + X]mxE eqxx mulr1n -/g.
      by rewrite mulrAC divfK // mulrDr mulr1 mulrC.
    have := congr1 (fun v : 'cV[C]_m => v j 0) step; rewrite mxE [X in X + _]mxE -/(z j) [in X in _ + X]mxE [RHS]mxE.
    have -> : known j j 0 = 1 - s^-1 by rewrite !mxE !eqxx mulr1.
    move=> E; rewrite -bE -aE; apply: (addIr (strength / g * a * (1 - s^-1))); rewrite E.
    have -> : strength / g * a * (1 - s^-1) = kappa / 2%:R * (a * (1 + strength)); last by rewrite subrK.
    rewrite mulrCA mulrAC -[kappa / _ * _]mulrAC kappaE [in RHS]mulrC; congr (_ * _).
    by rewrite /g invfM -!mulrA (mulVf (lt0r_neq0 i1)) mulr1.
  have total : mu * Z = lambda * Z.
    rewrite mulr_sumr (eq_bigr _ (fun j _ => motion j)) sumrB -mulr_sumr sumrB sumr_const card_ord -/Z.
    have -> : s^-1 * Z *+ m = s * Z by rewrite -mulr_natl mulrCA mulrA ms.
    by rewrite /lambda -/kappa; move: (2%:R^-1) => h; scalar C.
  have [zero|nonzero] := eqVneq Z 0; [right|left; exact: mulIf nonzero _ _ total].
  have zk : z k != 0 by apply: contra read => /eqP zk; rewrite published -/(z k) zk scale0r.
  apply: (mulIf zk); rewrite motion zero mulr0 subr0 mulrBl mul1r.
  by rewrite /kappa.
exists (fun j => lambda^-1 *: t j); split.
  exists (Ordinal (ltn_trans (ltn0Sn 0) m1)), (Ordinal (ltn_trans (ltn0Sn 0) m1)); rewrite published own scale1r.
  by apply/eqP => /matrixP/(_ (Ordinal (ltn_trans (ltn0Sn 0) m1)) 0); rewrite !mxE !eqxx => /eqP; rewrite oner_eq0.
move=> j; rewrite scaled one fit; congr (_ *: _).
rewrite (eq_bigr unit_vector) => [|i _]; last by rewrite published own scale1r.
apply/matrixP => p q; rewrite !ord1 mxE summxE (bigD1 p) //= big1 => [|i ne]; first by rewrite mxE !eqxx addr0.
by rewrite mxE eq_sym (negbTE ne).
Qed.
End Tight.
