(* Equal features: the mean squared error of the limit in closed form, and what follows for the best weights. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem consensus universal symmetric.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

(* The limit's mean squared error in units of V = sigma^2 tr(S^-1), the error of least squares on one data set. *)
Definition relative_error (F : fieldType) (K : nat) (a b : F) : F :=
  (1 - b) ^+ 2 + b ^+ 2 / K%:R + (1 - a) ^+ 2 * b ^+ 2 * (1 - K%:R^-1) + a ^+ 2 / (K%:R * (1 - a ^+ 2)).

Section Error.
Variables (C : numClosedFieldType) (d K : nat).
Add Ring scalars : (scalar_axioms C).
Let Pi := averaging C d K.

Theorem symmetric_error (a b sigma2 : C) (S : 'M[C]_d) : (0 < K)%N -> (0 < d)%N -> S \in unitmx -> S^T = S -> a ^+ 2 != 1 ->
  let Q := recursive (fun=> a) (fun _ _ => K%:R^-1) (fun=> S) (fun=> (1 - a) *: S) in
  let P := row_mx (\mxdiag_(k < K) ((1 - a) * b *: (invmx S *m S))) (\mxcol_(k < K) ((1 - a) * (1 - b) *: (invmx S *m S))) in
  let N := \mxdiag_(k < K) invmx S in let D := block_mx N 0 0 (invmx S) in
  forall M limit, M = P + Q *m M -> limit = Q *m (sigma2 *: N + limit) *m Q^T ->
  forall k, \tr (submxblock (sigma2 *: (M *m D *m M^T) + limit) k k) = sigma2 * \tr (invmx S) * relative_error K a b.
Proof.
move=> K0 d0 unitS symS a1 Q P N D M limit fixM fixC k.
have [QE _ _] := symmetric_radius a K0 d0 unitS; rewrite -/Q -/Pi in QE.
have [PiPi PiT _] := text_projection C d K0; rewrite -/Pi in PiPi PiT.
have Kn : (K%:R : C) != 0 by rewrite pnatr_eq0 -lt0n.
have a2 : 1 - a ^+ 2 != 0 by rewrite subr_eq0 eq_sym.
have a0 : 1 - a != 0 by apply: contra a1; rewrite subr_eq0 => /eqP <-; rewrite expr1n.
have NPi : N *m Pi = Pi *m N.
  rewrite /N /Pi mul_mxdiag_mxblock mul_mxblock_mxdiag; apply: eq_mxblock => i j.
  by rewrite -scalemxAr -scalemxAl mul1mx mulmx1.
have Ninv : N^T = N by rewrite tr_mxdiag; apply: eq_mxdiag => i; rewrite trmx_inv symS.
pose ones : 'M[C]_(\sum_(k < K) d, d) := \mxcol_(k < K) 1%:M.
have Piones : Pi *m ones = ones.
  rewrite /Pi /ones mul_mxblock_mxrow; apply: eq_mxcol => i.
  by under eq_bigr do rewrite mulmx1; rewrite sumr_const card_ord -scaler_nat scalerA divff // scale1r.
(* the inverse of I - a Pi *)
have inverse m (A B : 'M[C]_(_, m)) : A = B + Q *m A -> A = B + (a / (1 - a)) *: (Pi *m B).
  move=> E; have PiA : Pi *m A = (1 - a)^-1 *: (Pi *m B).
    apply: (scalerI a0); rewrite scalerA divff // scale1r scalerBl scale1r {1}E mulmxDr QE.
    by rewrite -scalemxAl -scalemxAr mulmxA PiPi addrK.
  by rewrite {1}E QE -scalemxAl PiA scalerA.
have PE : P = row_mx ((1 - a) * b)%:M (((1 - a) * (1 - b)) *: ones).
  rewrite /P mulVmx //; congr row_mx.
    by rewrite -mxdiagZ; apply: eq_mxdiag => i; rewrite scalemx1.
  by rewrite -[RHS]mul_mx_scalar /ones mxcol_mul; apply: eq_mxcol => i; rewrite mul_mx_scalar.
have ME : M = row_mx (((1 - a) * b)%:M + (a * b) *: Pi) ((1 - b) *: ones).
  rewrite (inverse _ _ _ fixM) PE mul_mx_row -!scalemxAr Piones mul_mx_scalar scale_row_mx add_row_mx !scalerA.
  by congr row_mx; [rewrite mulrA divfK | rewrite mulrA divfK // -scalerDl -mulrDl subrK mul1r].
have onesE : ones *m invmx S *m ones^T = K%:R *: (Pi *m N).
  rewrite /ones mxcol_mul tr_mxcol mul_mxcol_mxrow -mul_mx_scalar -mxdiagZ /Pi !mul_mxblock_mxdiag; apply: eq_mxblock => i j.
  by rewrite trmx1 mulmx1 mul1mx -scalemxAl mul1mx mul_mx_scalar scalerA divff // scale1r.
have PNP : Pi *m N *m Pi = Pi *m N by rewrite -mulmxA NPi mulmxA PiPi.
have MDM : M *m D *m M^T = ((1 - a) ^+ 2 * b ^+ 2) *: N + (b ^+ 2 * (1 - (1 - a) ^+ 2) + K%:R * (1 - b) ^+ 2) *: (Pi *m N).
  rewrite ME /D mul_row_block !mulmx0 addr0 add0r tr_row_mx mul_row_col.
  have -> : ((1 - b) *: ones)^T = (1 - b) *: ones^T by rewrite [LHS]linearZ.
  have -> : (((1 - a) * b)%:M + (a * b) *: Pi)^T = ((1 - a) * b)%:M + (a * b) *: Pi.
    by rewrite [LHS]linearD /= tr_scalar_mx [X in _ + X]linearZ /= PiT.
  rewrite -[in X in _ + X]scalemxAl -[in X in _ + X]scalemxAl -[in X in _ + X]scalemxAr onesE !scalerA.
  have -> : (((1 - a) * b)%:M + (a * b) *: Pi) *m N *m (((1 - a) * b)%:M + (a * b) *: Pi)
      = ((1 - a) ^+ 2 * b ^+ 2) *: N + (b ^+ 2 * (1 - (1 - a) ^+ 2)) *: (Pi *m N).
    rewrite mulmxDl mul_scalar_mx -scalemxAl mulmxDr mul_mx_scalar -scalemxAr mulmxDl -!scalemxAl NPi PNP.
    rewrite !scalerDr !scalerA -addrA -!scalerDl; congr (_ *: _ + _ *: _); scalar C.
  by rewrite -addrA -scalerDl; congr (_ + _ *: _); congr (_ + _); scalar C.
have QAQ A : Q *m A *m Q^T = a ^+ 2 *: (Pi *m A *m Pi).
  by rewrite QE linearZ /= PiT -!scalemxAl -scalemxAr scalerA expr2.
have limitE : limit = (sigma2 * (a ^+ 2 / (1 - a ^+ 2))) *: (Pi *m N).
  move: fixC; rewrite QAQ mulmxDr mulmxDl -scalemxAr -scalemxAl PNP => E.
  have PiL (A : 'M[C]_(\sum_(k < K) d)) : Pi *m (Pi *m A) = Pi *m A by rewrite mulmxA PiPi.
  have PiR (A : 'M[C]_(\sum_(k < K) d)) : A *m Pi *m Pi = A *m Pi by rewrite -mulmxA PiPi.
  have PEP : Pi *m limit *m Pi = limit.
    by rewrite {1}E -scalemxAr -scalemxAl mulmxDr mulmxDl -scalemxAr -scalemxAl PiL PNP -(mulmxA Pi limit) PiL mulmxA PiR -E.
  rewrite PEP in E; apply: (scalerI a2); rewrite scalerBl scale1r {1}E scalerDr addrK !scalerA; congr (_ *: _).
  by rewrite mulrCA [in RHS]mulrC; congr (_ * _); rewrite mulrC divfK.
have block A B : submxblock (A + B) k k = submxblock A k k + submxblock B k k :> 'M[C]_d by apply/matrixP => i j; rewrite !mxE.
have blockZ x A : submxblock (x *: A) k k = x *: submxblock A k k :> 'M[C]_d by apply/matrixP => i j; rewrite !mxE.
have Nk : submxblock N k k = invmx S by rewrite /N /mxdiag mxblockK eqxx conform_mx_id.
have PNk : submxblock (Pi *m N) k k = K%:R^-1 *: invmx S by rewrite /Pi mul_mxblock_mxdiag mxblockK -scalemxAl mul1mx.
rewrite MDM limitE scalerDr -addrA !scalerA -scalerDl block !blockZ Nk PNk !scalerA -scalerDl mxtraceZ.
rewrite [RHS]mulrAC; congr (_ * _); rewrite /relative_error invfM.
rewrite -[X in _ = _ * (X + _ + _ + _)]mul1r -[X in _ = _ * (X * _ + _ + _ + _)](divff Kn).
move: (K%:R) (K%:R^-1) ((1 - a ^+ 2)^-1) => k1 k2 k3; scalar C.
Qed.
End Error.

Section Efficiency.
Variable F : numFieldType.
Add Ring numbers : (scalar_axioms F).

(* Without public data: the error of the best estimator, V / K, over the limit's. *)
Theorem symmetric_no_public K (a : F) : (0 < K)%N -> a ^+ 2 != 1 ->
  K%:R^-1 / relative_error K a 1 = ((K%:R - 1) * (1 - a) ^+ 2 + (1 - a ^+ 2)^-1)^-1.
Proof.
move=> K0 a1; have Kn : (K%:R : F) != 0 by rewrite pnatr_eq0 -lt0n.
have a2 : 1 - a ^+ 2 != 0 by rewrite subr_eq0 eq_sym.
rewrite -invfM; congr (_^-1); rewrite /relative_error invfM.
have {2}-> : (1 - a ^+ 2)^-1 = 1 + a ^+ 2 / (1 - a ^+ 2) by rewrite -{2}(divff a2) -mulrDl subrK mul1r.
move: (K%:R) (K%:R^-1) ((1 - a ^+ 2)^-1) (divff Kn) => k1 k2 k3 one.
transitivity (k1 * k2 + (k1 - k1 * k2) * (1 - a) ^+ 2 + (k1 * k2) * (a ^+ 2 * k3)); first by scalar F.
by rewrite one; scalar F.
Qed.
Lemma error_difference (h b k x : F) : h + h = 1 -> let u := b + b - 1 in
  4%:R * (4%:R * ((1 - h) ^+ 2 + h ^+ 2 * k + (1 - h) ^+ 2 * h ^+ 2 * (1 - k) + x
    - ((1 - b) ^+ 2 + b ^+ 2 * k + (1 - h) ^+ 2 * b ^+ 2 * (1 - k) + x)))
  = u * (4%:R * (2%:R - u) - (1 + 3%:R * k) * (2%:R + u)).
Proof.
move=> half u; have oneh : 1 - h = h by rewrite -half addrK.
have square : 4%:R * h ^+ 2 = 1 by transitivity ((h + h) ^+ 2); [scalar F | rewrite half expr1n].
rewrite oneh; transitivity (4%:R * (4%:R * h ^+ 2) * (1 + k) + (4%:R * h ^+ 2) * (4%:R * h ^+ 2) * (1 - k)
  - 4%:R * (4%:R * (1 - b) ^+ 2) - 4%:R * (4%:R * (b ^+ 2 * k)) - 4%:R * ((4%:R * h ^+ 2) * (b ^+ 2 * (1 - k)))).
  by move: (h ^+ 2) => h2; scalar F.
by rewrite square /u; scalar F.
Qed.
Lemma error_positive (u k : F) : 0 < u -> 5%:R * u <= 2%:R -> 2%:R * k <= 1 -> 0 < 4%:R * (2%:R - u) - (1 + 3%:R * k) * (2%:R + u).
Proof.
move=> u0 small half; rewrite -(pmulr_rgt0 _ (ltr0Sn F 4)) -(pmulr_rgt0 _ (ltr0Sn F 1)).
have -> : 2%:R * (5%:R * (4%:R * (2%:R - u) - (1 + 3%:R * k) * (2%:R + u)))
  = 13%:R * (2%:R - 5%:R * u) + 3%:R * (1 - 2%:R * k) * (5%:R * (2%:R + u)) + 4%:R by scalar F.
apply: ltr_spaddr; first exact: ltr0Sn.
by rewrite addr_ge0 // ?mulr_ge0 ?ler0n ?subr_ge0 // addr_ge0 ?ler0n // ltW.
Qed.

(* E11: with alpha = 1/2, every beta between 1/2 and 7/10 is better than 1/2, for equal features and any number of entities. *)
Theorem E11 K (b : F) : (1 < K)%N -> 2%:R^-1 < b <= 7%:R / 10%:R ->
  relative_error K (2%:R^-1) b < relative_error K (2%:R^-1) (2%:R^-1).
Proof.
move=> K1 /andP[above]; have K0 : (0 < K)%N := ltnW K1; rewrite ler_pdivl_mulr ?ltr0n // => below.
have two : (2%:R : F) != 0 by rewrite pnatr_eq0.
have half : 2%:R^-1 + 2%:R^-1 = 1 :> F by rewrite -[2%:R^-1]mul1r -mulrDl; apply: divff two.
have small : 2%:R * K%:R^-1 <= 1 :> F by rewrite ler_pdivr_mulr ?ltr0n // mul1r ler_nat.
have u0 : 0 < b + b - 1 by rewrite subr_gt0 -half ltr_add.
have u1 : 5%:R * (b + b - 1) <= 2%:R.
  have -> : 5%:R * (b + b - 1) = b * 10%:R - 5%:R by scalar F.
  by rewrite ler_subl_addr; apply: le_trans below _; rewrite -natrD.
rewrite -subr_gt0 /relative_error; set x := _ / (K%:R * _); clearbody x.
move: (K%:R^-1) (2%:R^-1) half small => k h half small.
rewrite -(pmulr_rgt0 _ (ltr0Sn F 3)) -(pmulr_rgt0 _ (ltr0Sn F 3)) error_difference // mulr_gt0 //.
exact: error_positive.
Qed.
End Efficiency.
