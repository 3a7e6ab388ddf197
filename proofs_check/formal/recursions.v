(* Theorems 1 and 2 and equations (1) and (2): induction over generations of
     theta_t = P_t y + Q_t theta_(t-1) + Q_t F_t w_t,   theta_0 = P_0 y,
   where y are the real data sets' own fits, w_t is fresh white noise of variance sigma^2 and F_t = X_t^+.
   The covariance of N w for white noise w of variance sigma^2 is sigma^2 N N'. *)
From mathcomp Require Import all_ssreflect all_algebra.
Import GRing.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Recursions.
Variables (F : fieldType) (n p q : nat).
Implicit Types (P : nat -> 'M[F]_(n, p)) (Q : nat -> 'M[F]_n) (X : nat -> 'M[F]_(n, q)) (y : 'cV[F]_p) (w : nat -> 'cV[F]_q).

Fixpoint mean_map P Q t : 'M[F]_(n, p) := if t is s.+1 then P t + Q t *m mean_map P Q s else P 0%N.
Fixpoint covariance Q X sigma2 t : 'M[F]_n :=
  if t is s.+1 then Q t *m (sigma2 *: (X t *m (X t)^T) + covariance Q X sigma2 s) *m (Q t)^T else 0.
(* The map of the noise of generation s.+1 to the estimates of generation t. *)
Fixpoint noise_map Q X t s : 'M[F]_(n, q) :=
  if t is r.+1 then (if s == r then Q t *m X t else Q t *m noise_map Q X r s) else 0.
Fixpoint product Q t : 'M[F]_n := if t is s.+1 then Q t *m product Q s else 1%:M.

(* Theorem 1, mean: the estimates are M_t y and a sum of noise, which has mean zero. *)
Theorem theorem1_mean P Q X y w (theta : nat -> 'cV[F]_n) : theta 0%N = P 0%N *m y ->
  (forall t, theta t.+1 = P t.+1 *m y + Q t.+1 *m theta t + Q t.+1 *m (X t.+1 *m w t.+1)) ->
  forall t, theta t = mean_map P Q t *m y + \sum_(s < t) noise_map Q X t s *m w s.+1.
Proof.
move=> start step; elim=> [|t induction]; first by rewrite big_ord0 addr0.
rewrite step induction big_ord_recr /= eqxx mulmxDl mulmxDr -!addrA; congr (_ + _).
rewrite !mulmxA; congr (_ + _); congr (_ + _); rewrite mulmx_sumr; apply: eq_bigr => s _.
by rewrite (ltn_eqF (ltn_ord s)) mulmxA.
Qed.

(* Theorem 1, covariance. *)
Theorem theorem1_covariance Q X sigma2 t :
  covariance Q X sigma2 t = sigma2 *: \sum_(s < t) noise_map Q X t s *m (noise_map Q X t s)^T.
Proof.
elim: t => [|t induction]; first by rewrite big_ord0 scaler0.
rewrite big_ord_recr /= eqxx induction mulmxDr mulmxDl addrC scalerDr; congr (_ + _).
  rewrite -scalemxAr -scalemxAl mulmx_sumr mulmx_suml; congr (_ *: _); apply: eq_bigr => s _.
  by rewrite (ltn_eqF (ltn_ord s)) trmx_mul !mulmxA.
by rewrite -scalemxAr -scalemxAl trmx_mul !mulmxA.
Qed.

(* Theorem 2, covariance: y = L e for white noise e, with L L' = D = diag(S~^+, S_*^+ ). *)
Theorem theorem2_covariance r P Q X sigma2 (L : 'M[F]_(p, r)) (D : 'M[F]_p) t : L *m L^T = D ->
  let N s := noise_map Q X t s in let M := mean_map P Q t in
  sigma2 *: ((M *m L) *m (M *m L)^T + \sum_(s < t) N s *m (N s)^T) = sigma2 *: (M *m D *m M^T) + covariance Q X sigma2 t.
Proof. by move=> LD; rewrite /= theorem1_covariance scalerDr trmx_mul -LD !mulmxA. Qed.

(* Theorem 2, mean: P_t keeps a common truth, and P_0 misses U = I - G_0^+ G_0 of it. *)
Theorem theorem2_mean P Q (U : 'M[F]_n) (fits : 'cV[F]_p) (truth : 'cV[F]_n) :
  P 0%N *m fits = truth - U *m truth -> (forall t, P t.+1 *m fits = truth - Q t.+1 *m truth) ->
  forall t, mean_map P Q t *m fits = truth - product Q t *m U *m truth.
Proof.
move=> start kept; elim=> [|t induction] /=; first by rewrite mul1mx.
by rewrite mulmxDl kept -mulmxA induction mulmxBr addrA subrK !mulmxA.
Qed.
End Recursions.

Section Truth.
Variables (F : fieldType) (d : nat) (K : finType).

(* P_t keeps a common truth: least squares on real data and on labels that the truth writes returns the truth. *)
Theorem theorem2_truth (alpha : F) (W : K -> F) (S : K -> 'M[F]_d) (R : 'M[F]_d) (truth : 'cV[F]_d) :
  let G := alpha *: (\sum_j W j *: S j) + R in G \in unitmx ->
  invmx G *m (R *m truth) = truth - \sum_j (alpha * W j) *: (invmx G *m S j) *m truth.
Proof.
move=> G unitG; have -> : R = G - alpha *: \sum_j W j *: S j by rewrite /G addrC addKr.
rewrite mulmxBl mulmxBr mulmxA mulVmx // mul1mx; congr (_ - _).
rewrite scaler_sumr mulmx_suml mulmx_sumr; apply: eq_bigr => j _.
by rewrite scalerA -!scalemxAl -scalemxAr mulmxA.
Qed.
End Truth.

Section Constant.
Variables (F : fieldType) (m p : nat).
Let n := m.+1.
Implicit Types (P : 'M[F]_(n, p)) (Q : 'M[F]_n).

(* Equation (1) for constant weights and features. *)
Theorem eq1_finite P0 P Q t :
  mean_map (fun s => if s is 0%N then P0 else P) (fun=> Q) t = Q ^+ t *m P0 + (\sum_(s < t) Q ^+ s) *m P.
Proof.
elim: t => [|t induction]; first by rewrite big_ord0 mul0mx addr0 expr0 mul1mx.
rewrite /= induction mulmxDr exprS -mulmxE -!mulmxA addrCA; congr (_ + _).
rewrite big_ord_recl expr0 mulmxDl mul1mx; congr (_ + _); rewrite mulmxA mulmx_sumr; congr (_ *m _).
by apply: eq_bigr => s _; rewrite lift0 exprS.
Qed.

(* Equation (2): with F F' = S^+. *)
Theorem eq2_finite q Q (X : 'M[F]_(n, q)) sigma2 t :
  covariance (fun=> Q) (fun=> X) sigma2 t = sigma2 *: \sum_(s < t) Q ^+ s.+1 *m (X *m X^T) *m (Q ^+ s.+1)^T.
Proof.
elim: t => [|t induction]; first by rewrite big_ord0 scaler0.
rewrite /= induction big_ord_recl expr1 -scalerDr -scalemxAr -scalemxAl; congr (_ *: _).
rewrite mulmxDr mulmxDl; congr (_ + _); rewrite mulmx_sumr mulmx_suml; apply: eq_bigr => s _.
by rewrite lift0 [Q ^+ s.+2]exprS -mulmxE trmx_mul !mulmxA.
Qed.

(* The fixed point of equation (1), and the distance to it. *)
Theorem eq1_limit P0 P Q : 1%:M - Q \in unitmx -> let M := invmx (1%:M - Q) *m P in
  M = P + Q *m M /\ forall t, mean_map (fun s => if s is 0%N then P0 else P) (fun=> Q) t - M = Q ^+ t *m (P0 - M).
Proof.
move=> unitQ M; have fixed : M = P + Q *m M.
  by apply/eqP; rewrite -subr_eq -{1}[M]mul1mx -mulmxBl /M mulmxA mulmxV // mul1mx.
split=> //; elim=> [|t induction] /=; first by rewrite expr0 mul1mx.
by rewrite exprS -mulmxE -mulmxA -induction mulmxBr {1}fixed opprD addrACA subrr add0r.
Qed.
End Constant.
