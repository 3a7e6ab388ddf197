(* The consensus form: estimates act on the next generation only through the d numbers z = sum w_j S_j theta_j, so the lifted
   matrix Q of K d rows is a product A B of rank at most d. The lifted matrix is the paper's, for nonsingular G_k. *)
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem recursions.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Product.
Variable F : fieldType.

(* Powers of a product: Q^(t+1) = A H^t B. *)
Theorem consensus_powers n d (A : 'M[F]_(n.+1, d.+1)) (B : 'M[F]_(d.+1, n.+1)) t : (A *m B) ^+ t.+1 = A *m (B *m A) ^+ t *m B.
Proof.
elim: t => [|t step]; first by rewrite expr1 expr0 mulmx1.
by rewrite exprS step [in RHS]exprS /= -!mulmxE !mulmxA.
Qed.

(* The characteristic polynomials of A B and B A differ by a power of the variable. *)
Theorem consensus_spectrum n d (A : 'M[F]_(n, d)) (B : 'M[F]_(d, n)) :
  'X^d * char_poly (A *m B) = 'X^n * char_poly (B *m A).
Proof.
pose a := map_mx polyC A; pose b := map_mx polyC B; pose X m : 'M[{poly F}]_m := 'X%:M.
have AB : char_poly_mx (A *m B) = X n - a *m b by rewrite /char_poly_mx map_mxM.
have BA : char_poly_mx (B *m A) = X d - b *m a by rewrite /char_poly_mx map_mxM.
have right : block_mx (X n) a b 1%:M *m block_mx 1%:M 0 (- b) 1%:M = block_mx (X n - a *m b) a 0 1%:M.
  by rewrite mulmx_block !mulmx1 !mul1mx !mulmx0 !add0r mulmxN subrr.
have left : block_mx 1%:M 0 (- b) (X d) *m block_mx (X n) a b 1%:M = block_mx (X n) a 0 (X d - b *m a).
  rewrite mulmx_block !mulmx1 !mul1mx !mul0mx !addr0 mulNmx addrC; congr block_mx; last by rewrite mulNmx addrC.
  by rewrite /X mul_scalar_mx mul_mx_scalar subrr.
have := congr1 determinant right; have := congr1 determinant left.
rewrite !det_mulmx !det_ublock !det_lblock !det1 !mul1r !mulr1 !det_scalar => E R.
by rewrite /char_poly AB BA -R E.
Qed.

(* Weights and features that vary: Q_t ... Q_0 = A_t (B_t A_(t-1)) ... (B_1 A_0) B_0. *)
Theorem consensus_varying n d (A : nat -> 'M[F]_(n, d)) (B : nat -> 'M[F]_(d, n)) t :
  product (fun s => A s *m B s) t *m (A 0%N *m B 0%N) = A t *m product (fun s => B s *m A s.-1) t *m B 0%N.
Proof.
elim: t => [|t step] /=; first by rewrite mul1mx mulmx1.
by rewrite -mulmxA step !mulmxA.
Qed.

(* The covariance of all estimates is that of the pool's moment, X_t = N + H X_(t-1) H', seen through A. *)
Fixpoint moment_covariance d (H N : nat -> 'M[F]_d) t : 'M[F]_d :=
  if t is s.+1 then N t + H t *m moment_covariance H N s *m (H t)^T else 0.
Theorem consensus_covariance n d q (A : nat -> 'M[F]_(n, d)) (B : nat -> 'M[F]_(d, n)) (X : nat -> 'M[F]_(n, q)) sigma2 t :
  let N s := sigma2 *: (B s *m (X s *m (X s)^T) *m (B s)^T) in let H s := B s *m A s.-1 in
  covariance (fun s => A s *m B s) X sigma2 t = A t *m moment_covariance H N t *m (A t)^T.
Proof.
move=> N H; elim: t => [|t step] /=; first by rewrite mulmx0 mul0mx.
rewrite step trmx_mul mulmxDr !mulmxDl mulmxDr mulmxDl; congr (_ + _).
  by rewrite /N -!scalemxAr -!scalemxAl !mulmxA.
by rewrite /H /= trmx_mul !mulmxA.
Qed.
End Product.

Section Lifted.
Variables (C : numClosedFieldType) (d K : nat).
Implicit Types (alpha : 'I_K -> C) (W : 'I_K -> 'I_K -> C) (S R G : 'I_K -> 'M[C]_d).

Definition training_gram alpha W S R k := alpha k *: (\sum_j W k j *: S j) + R k.

(* The recursive matrix of eq. (4), with blocks alpha_k W_kj G_k^-1 S_j. *)
Definition recursive alpha W S R : 'M[C]_(\sum_(k < K) d) :=
  \mxblock_(k, j) ((alpha k * W k j) *: (invmx (training_gram alpha W S R k) *m S j)).

(* One pool with shares w: Q = A B, and H = B A. *)
Theorem consensus_factor alpha (w : 'I_K -> C) S R : let G := training_gram alpha (fun=> w) S R in
  recursive alpha (fun=> w) S R = (\mxcol_k (alpha k *: invmx (G k))) *m (\mxrow_j (w j *: S j)).
Proof.
move=> G; rewrite mul_mxcol_mxrow; apply: eq_mxblock => k j.
by rewrite -scalemxAl -scalemxAr scalerA.
Qed.

Theorem consensus_feedback alpha (w : 'I_K -> C) S (inverse : 'I_K -> 'M[C]_d) :
  (\mxrow_j (w j *: S j)) *m (\mxcol_k (alpha k *: inverse k)) = \sum_j (w j * alpha j) *: (S j *m inverse j).
Proof. by rewrite mul_mxrow_mxcol; apply: eq_bigr => j _; rewrite -scalemxAl -scalemxAr scalerA. Qed.

(* Every eigenvalue of Q other than zero is a mode in the sense of ecosystem.v, to which the stability theorems apply. *)
Theorem consensus_modes alpha W S R lambda : (forall k, training_gram alpha W S R k \in unitmx) -> lambda != 0 ->
  eigenvalue (recursive alpha W S R) lambda -> mode alpha W S R lambda.
Proof.
move=> unitG nonzero; set Q := recursive alpha W S R; set G := training_gram alpha W S R in unitG *.
have -> : eigenvalue Q lambda = eigenvalue Q^T lambda.
  rewrite !eigenvalue_root_char; congr (root _ _); rewrite /char_poly -det_tr; congr (\det _).
  by rewrite /char_poly_mx linearB /= tr_scalar_mx map_trmx.
move=> /eigenvalueP[v0 Ev v0n]; pose v := v0^T.
have vQ : Q *m v = lambda *: v by rewrite /v -[Q]trmxK -trmx_mul Ev linearZ.
pose theta k : 'cV[C]_d := submxcol v k.
have step k : \sum_j (alpha k * W k j) *: (invmx (G k) *m S j) *m theta j = lambda *: theta k.
  have := congr1 (fun x : 'cV[C]__ => submxcol x k) vQ; rewrite -{1}(submxcolK v) mul_mxblock_mxrow mxcolK => ->.
  by apply/matrixP => i j; rewrite !mxE.
have trained k : G k *m (lambda *: theta k) = alpha k *: \sum_j W k j *: (S j *m theta j).
  rewrite -step mulmx_sumr scaler_sumr; apply: eq_bigr => j _.
  by rewrite -scalemxAl -scalemxAr !mulmxA mulmxV // mul1mx scalerA.
exists theta; split; last by move=> k; rewrite -trained.
have [/existsP[i /existsP[k read]]|/existsPn none] := boolP [exists i, exists k, W i k *: (S k *m theta k) != 0].
  by exists i, k.
suff zero : v = 0 by move: v0n; rewrite -[v0]trmxK -/v zero trmx0 eqxx.
apply/mxcolP => k; rewrite submxcol0; apply: (scalerI nonzero); rewrite -/(theta k) scaler0.
rewrite -[LHS](mulKmx (unitG k)) trained big1 ?scaler0 ?mulmx0 // => j _.
by have /existsPn/(_ j) := none k; rewrite negbK => /eqP.
Qed.

(* The average of diag(S_k) over the pool, Pi = (1/K) (1 (x) I): every block of Pi S Pi is Sbar / K. *)
Definition averaging : 'M[C]_(\sum_(k < K) d) := \mxblock_(k < K, j < K) (K%:R^-1 *: (1%:M : 'M[C]_d)).
Theorem lemma1_average S :
  averaging *m (\mxdiag_k S k) *m averaging = \mxblock_(k < K, j < K) (K%:R^-1 *: \sum_i K%:R^-1 *: S i).
Proof.
rewrite mul_mxblock_mxdiag mul_mxblock; apply: eq_mxblock => k j; rewrite scaler_sumr; apply: eq_bigr => i _.
by rewrite -scalemxAl mul1mx -scalemxAr mulmx1.
Qed.
End Lifted.
