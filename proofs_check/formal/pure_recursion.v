(* Theorem 3 at alpha = 1, training on each other alone: what grows, and at what rate. *)
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import recursions.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section PureRecursion.
Variables (F : fieldType) (d K q : nat).
Implicit Types (w : 'I_K -> F) (V Z : 'M[F]_d).

(* Q_t for alpha = 1, where V is the inverse of the pool's Gram matrix. *)
Definition pooled w (S : 'I_K -> 'M[F]_d) V : 'M[F]_(\sum_(k < K) d) := \mxblock_(k < K, j < K) (w j *: (V *m S j)).
Definition everywhere Z : 'M[F]_(\sum_(k < K) d) := \mxblock_(k < K, l < K) Z.

Lemma pooled_everywhere w S V Z : V *m (\sum_j w j *: S j) = 1%:M -> pooled w S V *m everywhere Z = everywhere Z.
Proof.
move=> inverse; rewrite mul_mxblock; apply: eq_mxblock => k l; rewrite -mulmx_suml.
rewrite -[RHS]mul1mx -inverse mulmx_sumr; congr (_ *m _); apply: eq_bigr => j _; by rewrite -scalemxAr.
Qed.
Lemma everywhereZ a Z : everywhere (a *: Z) = a *: everywhere Z.
Proof. by rewrite -[RHS]mul_mx_scalar -mxdiagZ mul_mxblock_mxdiag; apply: eq_mxblock => k l; rewrite mul_mx_scalar. Qed.
Lemma everywhereT Z : (everywhere Z)^T = everywhere Z^T.
Proof. by rewrite tr_mxblock. Qed.
Lemma everywhere_pooled w S V Z : V *m (\sum_j w j *: S j) = 1%:M -> everywhere Z *m (pooled w S V)^T = everywhere Z.
Proof.
by move=> inverse; rewrite -[everywhere Z in LHS]trmxK -trmx_mul everywhereT pooled_everywhere // -everywhereT trmxK.
Qed.

(* One generation adds sigma^2 Sbar^-1 (sum_j w_j^2 S_j) Sbar^-1 to every block of C, whatever the features of other generations
   are. *)
Theorem E12_rate w (S : nat -> 'I_K -> 'M[F]_d) (plus : nat -> 'I_K -> 'M[F]_d) (inverse : nat -> 'M[F]_d)
    (X : nat -> 'M[F]_(\sum_(k < K) d, q)) sigma2 :
  (forall t j, (S t j)^T = S t j) -> (forall t, inverse t *m (\sum_j w j *: S t j) = 1%:M) ->
  (forall t, X t *m (X t)^T = \mxdiag_j plus t j) -> (forall t j, S t j *m plus t j *m S t j = S t j) ->
  let C := covariance (fun t => pooled w (S t) (inverse t)) X sigma2 in
  forall t, C t.+1 = C t + everywhere (sigma2 *: (inverse t.+1 *m (\sum_j w j ^+ 2 *: S t.+1 j) *m inverse t.+1)).
Proof.
move=> symS inverseK noise plusK C.
have symV t : (inverse t)^T = inverse t.
  have E := congr1 trmx (inverseK t); rewrite trmx_mul trmx1 in E.
  have symP : (\sum_j w j *: S t j)^T = \sum_j w j *: S t j.
    by apply/matrixP => a b; rewrite mxE !summxE; apply: eq_bigr => j _; rewrite !mxE -{1}symS mxE.
  by rewrite symP in E; rewrite -[RHS]mulmx1 -E mulmxA inverseK mul1mx.
have added t : pooled w (S t) (inverse t) *m (sigma2 *: (X t *m (X t)^T)) *m (pooled w (S t) (inverse t))^T
    = everywhere (sigma2 *: (inverse t *m (\sum_j w j ^+ 2 *: S t j) *m inverse t)).
  rewrite noise -scalemxAr -scalemxAl mul_mxblock_mxdiag tr_mxblock mul_mxblock.
  rewrite everywhereZ; congr (_ *: _); apply: eq_mxblock => k l; rewrite mulmx_sumr mulmx_suml; apply: eq_bigr => j _.
  rewrite [(_ *: _)^T]linearZ /= trmx_mul symS symV -!scalemxAl -!scalemxAr -scalemxAl scalerA -expr2.
  by congr (_ *: _); rewrite -[in RHS](plusK t j) !mulmxA.
suff shape t : exists Z, C t = everywhere Z.
  move=> t; rewrite /C /= mulmxDr mulmxDl added addrC; congr (_ + _).
  by rewrite -/(C t); have [Z ->] := shape t; rewrite pooled_everywhere // everywhere_pooled.
elim: t => [|t [Z IH]]; first by exists 0; rewrite /C /everywhere mxblock0.
exists (sigma2 *: (inverse t.+1 *m (\sum_j w j ^+ 2 *: S t.+1 j) *m inverse t.+1) + Z).
rewrite /C /= -/(C t) mulmxDr mulmxDl added IH pooled_everywhere //.
by rewrite everywhere_pooled // /everywhere -mxblockD.
Qed.

(* With constant features and equal shares, C_t = t sigma^2 / K (1 (x) Sbar^-1), and M_t = M_1 for t >= 1, where P_t = 0. *)
Theorem E12_exact p (S plus : 'I_K -> 'M[F]_d) V (X : 'M[F]_(\sum_(k < K) d, q)) sigma2 (P0 : 'M[F]_(\sum_(k < K) d, p)) :
  (K%:R : F) != 0 ->
  (forall j, (S j)^T = S j) -> V *m (\sum_j K%:R^-1 *: S j) = 1%:M ->
  X *m X^T = \mxdiag_j plus j -> (forall j, S j *m plus j *m S j = S j) ->
  let Q := pooled (fun=> K%:R^-1) S V in
  forall t, covariance (fun=> Q) (fun=> X) sigma2 t = everywhere ((t%:R * sigma2 / K%:R) *: V) /\
    mean_map (fun t => if t is 0%N then P0 else 0) (fun=> Q) t.+1 = Q *m P0.
Proof.
move=> K0 symS inverse noise plusK Q t; split; last first.
  have QQ : Q *m Q = Q.
    rewrite /Q /pooled mul_mxblock; apply: eq_mxblock => k l.
    rewrite -[RHS]mul1mx -inverse mulmx_sumr mulmx_suml; apply: eq_bigr => j _.
    by rewrite -!scalemxAr -!scalemxAl.
  elim: t => [|t IH] /=; first by rewrite add0r.
  by move: IH => /= ->; rewrite add0r mulmxA QQ.
elim: t => [|t IH]; first by rewrite mul0r mul0r scale0r /everywhere mxblock0.
rewrite (E12_rate sigma2 (w := fun=> K%:R^-1) (S := fun=> S) (plus := fun=> plus) (inverse := fun=> V)) // IH.
have -> : \sum_j K%:R^-1 ^+ 2 *: S j = K%:R^-1 *: \sum_j K%:R^-1 *: S j.
  by rewrite scaler_sumr; apply: eq_bigr => j _; rewrite scalerA -expr2.
rewrite /everywhere -mxblockD; apply: eq_mxblock => k l.
by rewrite -scalemxAr inverse -scalemxAl mul1mx scalerA -scalerDl -addn1 natrD !mulrDl mul1r.
Qed.

(* Of a combination sum_k c_k theta_k of the entities' estimates, the covariance grows by (sum_k c_k)^2 sigma^2 Sbar^-1 / K per
   generation: not at all for differences, and K times slower for the average than for one model with the same Gram matrix. *)
Theorem E12 (S plus : 'I_K -> 'M[F]_d) V (X : 'M[F]_(\sum_(k < K) d, q)) sigma2 (c : 'I_K -> F) : (K%:R : F) != 0 ->
  (forall j, (S j)^T = S j) -> V *m (\sum_j K%:R^-1 *: S j) = 1%:M ->
  X *m X^T = \mxdiag_j plus j -> (forall j, S j *m plus j *m S j = S j) ->
  let combine : 'M[F]_(d, \sum_(k < K) d) := \mxrow_(k < K) (c k)%:M in
  let C := covariance (fun=> pooled (fun=> K%:R^-1) S V) (fun=> X) sigma2 in
  forall t, combine *m C t.+1 *m combine^T = combine *m C t *m combine^T + (\sum_k c k) ^+ 2 *: ((sigma2 / K%:R) *: V).
Proof.
move=> K0 symS inverse noise plusK combine C t.
have value s : C s = everywhere ((s%:R * sigma2 / K%:R) *: V).
  by have [E _] := E12_exact sigma2 (0 : 'M_(_, 0)) K0 symS inverse noise plusK s; exact: E.
have seen Z : combine *m everywhere Z *m combine^T = (\sum_k c k) ^+ 2 *: Z.
  rewrite mul_mxrow_mxblock tr_mxrow mul_mxrow_mxcol expr2 -scalerA scaler_suml; apply: eq_bigr => k _.
  by rewrite tr_scalar_mx mul_mx_scalar; congr (_ *: _); rewrite scaler_suml; apply: eq_bigr => j _; rewrite mul_scalar_mx.
rewrite !value !seen -scalerDr; congr (_ *: _); rewrite -scalerDl; congr (_ *: _).
by rewrite -addn1 natrD !mulrDl mul1r.
Qed.
End PureRecursion.
