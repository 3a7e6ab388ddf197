(* Misprints of the paper: small rational witnesses against the printed forms, by computation. *)
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import identities.
Import GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Definition matrix2 (a b c e : rat) : 'M[rat]_2 := \matrix_(i, j) if i == 0 then (if j == 0 then a else b) else if j == 0 then c else e.

Lemma mul2 a b c e a' b' c' e' :
  matrix2 a b c e *m matrix2 a' b' c' e' = matrix2 (a * a' + b * c') (a * b' + b * e') (c * a' + e * c') (c * b' + e * e').
Proof. by apply/matrixP => i j; rewrite !mxE !big_ord_recl big_ord0 addr0 !mxE /=; case: (i == 0); case: (j == 0). Qed.
Lemma tr2 a b c e : (matrix2 a b c e)^T = matrix2 a c b e.
Proof. by apply/matrixP => i j; rewrite !mxE; case: (i == 0); case: (j == 0). Qed.
Lemma sub2 a b c e a' b' c' e' : matrix2 a b c e - matrix2 a' b' c' e' = matrix2 (a - a') (b - b') (c - c') (e - e').
Proof. by apply/matrixP => i j; rewrite !mxE; case: (i == 0); case: (j == 0). Qed.
Lemma add2 a b c e a' b' c' e' : matrix2 a b c e + matrix2 a' b' c' e' = matrix2 (a + a') (b + b') (c + c') (e + e').
Proof. by apply/matrixP => i j; rewrite !mxE; case: (i == 0); case: (j == 0). Qed.
Ltac compute_matrix := rewrite ?(mul2, tr2, add2, sub2); congr matrix2; apply/eqP; vm_compute; reflexivity.

(* One entity with d = 2 and alpha = 1/2, one published row (1, 1) and private features V: X^+ is the pseudo-inverse of X by
   Penrose's equations, and Q solves the normal equations (V'V + X'X) Q = X'X. *)
Definition lone_entity (X pinv V Q : 'M[rat]_2) : Prop :=
  [/\ X *m pinv *m X = X, pinv *m X *m pinv = pinv, (X *m pinv)^T = X *m pinv, (pinv *m X)^T = pinv *m X
    & (V^T *m V + X^T *m X) *m Q = X^T *m X].
Definition X := matrix2 1 1 0 0.
Definition pinv := matrix2 (2%:R^-1) 0 (2%:R^-1) 0.
Definition V := matrix2 1 (-1) 0 1.
Definition Q := matrix2 (2%:R^-1) (2%:R^-1) (3%:R^-1) (3%:R^-1).

Lemma witness : lone_entity X pinv V Q.
Proof. by split; rewrite /X /pinv /V /Q; compute_matrix. Qed.
Lemma asymmetric : (Q *m (pinv *m pinv^T) *m Q)^T != Q *m (pinv *m pinv^T) *m Q.
Proof.
rewrite /Q /pinv !(mul2, tr2); apply/eqP => /matrixP/(_ 0 1); rewrite !mxE /= => /eqP; vm_compute; discriminate.
Qed.

(* E1: the printed C_1 = Q S^+ Q is not symmetric, so it is no covariance; theorem1_covariance has the correct form. *)
Theorem E1 : exists X pinv V Q, lone_entity X pinv V Q /\ (Q *m (pinv *m pinv^T) *m Q)^T != Q *m (pinv *m pinv^T) *m Q.
Proof. by exists X, pinv, V, Q; split; [exact: witness | exact: asymmetric]. Qed.

(* E4: no covariance is a fixed point C = Q C Q' + Q S^+ Q. *)
Theorem E4 : exists X pinv V Q, lone_entity X pinv V Q /\ forall C, C^T = C -> C != Q *m C *m Q^T + Q *m (pinv *m pinv^T) *m Q.
Proof.
exists X, pinv, V, Q; split=> [|C symC]; first exact: witness.
apply/eqP => E; have := asymmetric; set A := Q *m _ *m Q in E *.
have -> : A = C - Q *m C *m Q^T by rewrite {1}E addrC addKr.
by rewrite linearB /= !trmx_mul trmxK symC mulmxA eqxx.
Qed.

(* E6: without the factor 1 - alpha, Delta does not give G = alpha (delta S + Delta). One entity with d = 1; lemma1_gram has the
   correct form. *)
Theorem E6 : exists alpha beta lambda gamma T P S : rat, let delta := (1 - alpha) * beta * gamma / (alpha * lambda) in
  [/\ 0 < alpha < 1, 0 < beta <= lambda, lambda <= 1, gamma * S = lambda * T + (1 - lambda) * P
    & (1 - alpha) * (beta * T + (1 - beta) * P) + alpha * S
      != alpha * (delta * S + ((lambda - beta) / (alpha * lambda) * P + S))].
Proof. by exists 2%:R^-1, 4%:R^-1, 2%:R^-1, 1, 1, 1, 1. Qed.

(* E7: Pi S Pi is not I (x) Sbar. Two entities with d = 1 and S_k = 1; lemma1_average has the correct form. *)
Theorem E7 : exists Pi S : 'M[rat]_2, [/\ Pi = 2%:R^-1 *: const_mx 1, S = 1%:M & Pi *m S *m Pi != 1%:M].
Proof.
exists (2%:R^-1 *: const_mx 1), 1%:M; split=> //; rewrite mulmx1; apply/eqP => /matrixP/(_ 0 1).
by rewrite !mxE !big_ord_recl big_ord0 !mxE /= => /eqP; vm_compute.
Qed.

(* E8: for S = S~ and beta = 0, 1 can be an eigenvalue of Q. One entity with d = 1 and no public data. *)
Theorem E8 : exists alpha T P S : rat, let G := (1 - alpha) * (0 * T + (1 - 0) * P) + alpha * S in
  [/\ 0 <= alpha < 1, S = T, G != 0 & alpha * S / G = 1].
Proof. by exists 2%:R^-1, 1, 0, 1. Qed.

(* E5: M Q has no matching sizes with public data; without them (beta = 1) the sizes match, and M = P + M Q is false. Two entities
   with d = 1, alpha = 1/2 and S~ = diag(1, 2), S = diag(1, 3); eq1_limit has the correct form. *)
Theorem E5 : (forall K d, (0 < d)%N -> (\sum_(j < K.+1) d != \sum_(k < K) d)%N) /\
  exists T S P Q M : 'M[rat]_2, let Pi := matrix2 (2%:R^-1) (2%:R^-1) (2%:R^-1) (2%:R^-1) in
    let G := 2%:R^-1 *: T + 2%:R^-1 *: matrix2 2%:R 0 0 2%:R in
  [/\ T = matrix2 1 0 0 2%:R, S = matrix2 1 0 0 3%:R, G *m P = 2%:R^-1 *: T, G *m Q = 2%:R^-1 *: (Pi *m S)
    & M = P + Q *m M /\ M != P + M *m Q].
Proof.
split=> [K d d0|]; first by rewrite !sum_nat_const !card_ord mulSn -[X in _ != X]add0n eqn_add2r -lt0n.
exists (matrix2 1 0 0 2%:R), (matrix2 1 0 0 3%:R), (matrix2 (3%:R^-1) 0 0 (2%:R^-1)).
exists (matrix2 (6%:R^-1) (2%:R^-1) (8%:R^-1) (3%:R / 8%:R)).
exists (matrix2 (5%:R / 11%:R) (6%:R / 11%:R) (11%:R^-1) (10%:R / 11%:R)).
have scale2 x a b c e : x *: matrix2 a b c e = matrix2 (x * a) (x * b) (x * c) (x * e).
  by apply/matrixP => i j; rewrite !mxE; case: (i == 0); case: (j == 0).
split=> //; [rewrite ?scale2; compute_matrix | rewrite ?(mul2, scale2); compute_matrix |].
split; first by compute_matrix.
by rewrite !(mul2, add2); apply/eqP => /matrixP/(_ 0 0); rewrite !mxE /= => /eqP; vm_compute.
Qed.

(* E9: least squares with the printed Gram matrices: X~_1' X~_2 for entity 2, X_* X_*' with the transpose at the wrong place, and
   sums up to k for entity k = 1 of two; least_squares has the correct form. *)
Theorem E9 :
  [/\ exists (X : 'I_2 -> 'M[rat]_1) y t, fitted (fun _ : 'I_1 => 1) (fun=> X 1) (fun=> y) t /\ (X 0)^T *m X 1 *m t != (X 1)^T *m y,
      exists (X : 'M[rat]_2) y t, fitted (fun _ : 'I_1 => 1) (fun=> X) (fun=> y) t /\ X *m X^T *m t != X^T *m y
    & exists (X : nat -> 'M[rat]_1) y t k, (k < 2)%N /\ fitted (fun=> 1) (fun j : 'I_2 => X j) (fun j => y (j : nat)) t /\
        (\sum_(j < k.+1) (X j)^T *m X j) *m t != \sum_(j < k.+1) (X j)^T *m y j].
Proof.
split.
- exists (fun k => if k == 0 then 1%:M else 2%:R%:M), 2%:R%:M, 1%:M; split.
    apply/least_squares; first by move=> _; exact: ler01.
    by rewrite !big_ord1 !scale1r /= tr_scalar_mx -!scalar_mxM.
  by rewrite !tr_scalar_mx -!scalar_mxM; apply/eqP => /matrixP/(_ 0 0); rewrite !mxE => /eqP; vm_compute.
- exists (matrix2 1 1 0 1), (matrix2 1 1 0 1 *m delta_mx 0 0), (delta_mx 0 0); split; last first.
    rewrite mulmxA tr2 !mul2; apply/eqP => /matrixP/(_ 0 0); rewrite !mxE !big_ord_recl !big_ord0 !mxE /= => /eqP.
    by vm_compute.
  apply/least_squares; first by move=> _; exact: ler01.
  by rewrite !big_ord1 !scale1r mulmxA.
exists (fun=> 1%:M), (fun k => if k is 0%N then 1%:M else 3%:R%:M), 2%:R%:M, 0%N; split=> //; split; last first.
  by rewrite !big_ord1 trmx1 !mul1mx; apply/eqP => /matrixP/(_ 0 0); rewrite !mxE => /eqP.
apply/least_squares; first by move=> _; exact: ler01.
rewrite !big_ord_recl !big_ord0 /= trmx1 !scale1r !mul1mx !addr0 mulmxDl !mul1mx.
by apply/matrixP => i j; rewrite !ord1 !mxE.
Qed.

(* E10: the labels of generation t in eq. (4) are y_j = X_j theta_j + w_j for entity j. With the estimate of an entity t, or with
   y_k in the place of y_1, the pool's moment is another. Two entities with d = 1. *)
Theorem E10 : exists X theta w : 'I_2 -> rat, let y j := X j * theta j + w j in
  (forall t : 'I_2, \sum_j X j * (X j * theta t + w j) != \sum_j X j * y j) /\
  exists k, \sum_j X j * y (if j == 0 then k else j) != \sum_j X j * y j.
Proof.
exists (fun=> 1), (fun j => if j == 0 then 0 else 1), (fun=> 0); split=> [t|]; last exists 1.
  by rewrite !big_ord_recl !big_ord0 /=; case: (t == 0).
by rewrite !big_ord_recl !big_ord0.
Qed.
