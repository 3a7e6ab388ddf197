(* Equal features S_k = S~_k = S_* = S: Q is alpha times the averaging projection Pi = (1/K)(1 (x) I). *)
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem consensus universal.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Symmetric.
Variables (C : numClosedFieldType) (d K : nat).
Let Pi := averaging C d K.

Theorem text_projection : (0 < K)%N -> [/\ Pi *m Pi = Pi, Pi^T = Pi & \rank Pi = d].
Proof.
move=> K0; have K1 : (K%:R : C) != 0 by rewrite pnatr_eq0 -lt0n.
have idempotent : Pi *m Pi = Pi.
  rewrite /Pi /averaging mul_mxblock; apply: eq_mxblock => k j.
  rewrite (eq_bigr (fun=> (K%:R^-1 * K%:R^-1) *: 1%:M)) => [|i _]; last by rewrite -scalemxAl mul1mx scalerA.
  by rewrite sumr_const card_ord -scaler_nat scalerA mulrA mulfV // mul1r.
split=> //; first by rewrite /Pi /averaging tr_mxblock; apply: eq_mxblock => k j; rewrite linearZ /= trmx1.
apply/eqP; rewrite -(eqr_nat C) -(trace_projection idempotent) /Pi /averaging mxtrace_mxblock.
by rewrite sumr_const card_ord linearZ /= mxtrace1 -mulrnAl -mulr_natr mulVf ?mul1r.
Qed.

Theorem symmetric_radius (alpha : C) (S : 'M[C]_d) : (0 < K)%N -> (0 < d)%N -> S \in unitmx ->
  let Q := recursive (fun=> alpha) (fun _ _ => K%:R^-1) (fun=> S) (fun=> (1 - alpha) *: S) in
  [/\ Q = alpha *: Pi, eigenvalue Q alpha & forall lambda, eigenvalue Q lambda -> lambda = 0 \/ lambda = alpha].
Proof.
move=> K0 d0 unitS Q; have K1 : (K%:R : C) != 0 by rewrite pnatr_eq0 -lt0n.
have pool : \sum_(j < K) K%:R^-1 *: S = S by rewrite sumr_const card_ord -scaler_nat scalerA mulfV // scale1r.
have gram (k : 'I_K) : training_gram (fun=> alpha) (fun _ _ => K%:R^-1) (fun=> S) (fun=> (1 - alpha) *: S) k = S.
  by rewrite /training_gram /= pool -scalerDl addrC subrK scale1r.
have QE : Q = alpha *: Pi.
  apply/mxblockP => k j; have -> : submxblock (alpha *: Pi) k j = alpha *: submxblock Pi k j.
    by apply/matrixP => a b; rewrite !mxE.
  by rewrite !mxblockK gram mulVmx // scalerA.
have [idempotent _ rankPi] := text_projection K0.
split=> // [|lambda /eigenvalueP[v Ev v0]].
  have /matrix0Pn[i [j entry]] : Pi != 0 by rewrite -mxrank_eq0 rankPi -lt0n.
  apply/eigenvalueP; exists (row i Pi); first by rewrite QE -scalemxAr -row_mul idempotent.
  by apply: contra entry => /eqP/matrixP/(_ 0 j); rewrite !mxE => ->.
have QQ : Q *m Q = alpha *: Q by rewrite {1 2}QE -scalemxAl -scalemxAr idempotent -QE.
have square : (lambda * lambda - alpha * lambda) *: v = 0.
  by rewrite scalerBl -!scalerA -Ev [X in X - _]scalemxAl -Ev -mulmxA QQ -scalemxAr subrr.
have : lambda * (lambda - alpha) = 0.
  by apply/eqP; move/eqP: square; rewrite scaler_eq0 (negbTE v0) orbF mulrBr [alpha * _]mulrC.
by move/eqP; rewrite mulf_eq0 subr_eq0 => /orP[/eqP|/eqP]; [left | right].
Qed.
End Symmetric.
