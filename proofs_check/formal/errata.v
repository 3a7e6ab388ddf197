(* Misprints of the paper: small rational witnesses against the printed forms, by computation. *)
From mathcomp Require Import all_ssreflect all_algebra.
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
