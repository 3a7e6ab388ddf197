(* Theorem 2 in the paper's own blocks, and its misprints. *)
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import recursions identities errata limits.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Blocks.
Variables (F : fieldType) (d K : nat) (alpha beta : nat -> F) (w : 'I_K -> F).
(* Gram matrices: private T_k, public Sx, published S_tk; inverse_tk is G_tk^+. *)
Variables (T : 'I_K -> 'M[F]_d) (Sx : 'M[F]_d) (S inverse : nat -> 'I_K -> 'M[F]_d).

Definition gram t k : 'M[F]_d :=
  ((1 - alpha t) * beta t) *: T k + ((1 - alpha t) * (1 - beta t)) *: Sx + alpha t *: \sum_j w j *: S t j.
Definition real_map t : 'M[F]_(\sum_(k < K) d, \sum_(k < K) d + d) :=
  row_mx (\mxdiag_k (((1 - alpha t) * beta t) *: (inverse t k *m T k)))
    (\mxcol_k (((1 - alpha t) * (1 - beta t)) *: (inverse t k *m Sx))).
Definition recursive_map t : 'M[F]_(\sum_(k < K) d) := \mxblock_(k, j) ((alpha t * w j) *: (inverse t k *m S t j)).
Definition unseen : 'M[F]_(\sum_(k < K) d) := 1%:M - \mxdiag_k (inverse 0%N k *m gram 0%N k).

(* E2: the mean of Theorem 2 is (I - Q_t ... Q_1 (I - G_0^+ G_0)) (1_K (x) theta); the fits of real data need to agree with theta on
   their own features only. A vector 1_(K+1) (x) theta has too many rows for this product. *)
Theorem E2 (fits : 'I_K -> 'cV[F]_d) (fit theta : 'cV[F]_d) : alpha 0%N = 0 ->
  (forall t k, inverse t.+1 k *m gram t.+1 k = 1%:M) -> (forall k, T k *m fits k = T k *m theta) -> Sx *m fit = Sx *m theta ->
  (forall t, mean_map real_map recursive_map t *m col_mx (\mxcol_k fits k) fit
    = (1%:M - product recursive_map t *m unseen) *m \mxcol_(k < K) theta) /\
  ((0 < d)%N -> (\sum_(k < K.+1) d != \sum_(k < K) d)%N).
Proof.
move=> start full private public; split=> [t|d0]; last first.
  by rewrite !sum_nat_const !card_ord mulSn -[X in _ != X]add0n eqn_add2r -lt0n.
have real s : real_map s *m col_mx (\mxcol_k fits k) fit
    = \mxcol_k (inverse s k *m gram s k *m theta) - recursive_map s *m \mxcol_(k < K) theta.
  rewrite mul_row_col mul_mxdiag_mxcol mxcol_mul mul_mxblock_mxrow -mxcolD -mxcolB; apply: eq_mxcol => k.
  have -> : \sum_j (alpha s * w j) *: (inverse s k *m S s j) *m theta = inverse s k *m (alpha s *: \sum_j w j *: S s j) *m theta.
    rewrite scaler_sumr mulmx_sumr mulmx_suml; apply: eq_bigr => j _; by rewrite scalerA -scalemxAr.
  rewrite -mulmxBl -mulmxBr /gram addrK mulmxDr mulmxDl.
  by congr (_ + _); rewrite -scalemxAr -!scalemxAl -!mulmxA (private, public).
rewrite mulmxBl mul1mx; apply: theorem2_mean => [|s]; rewrite real; last first.
  by congr (_ - _); apply: eq_mxcol => k; rewrite full mul1mx.
have -> : recursive_map 0%N = 0.
  by apply/mxblockP => i j; rewrite mxblockK start mul0r scale0r; apply/matrixP => a b; rewrite !mxE.
rewrite mul0mx subr0 /unseen mulmxBl mul1mx opprB addrC subrK mul_mxdiag_mxcol.
by [].
Qed.
End Blocks.

Section Sigma.
Variables (F : fieldType) (n p q : nat).
(* E3: the printed covariance, without sigma^2 before M_t, is right only where sigma^2 = 1 or the real data leave no trace;
   theorem2_covariance has the correct form. *)
Theorem E3 r P Q X sigma2 (L : 'M[F]_(p, r)) (D : 'M[F]_p) t : L *m L^T = D ->
  let N (s : nat) : 'M[F]_(n, q) := noise_map Q X t s in let M := mean_map P Q t in
  (sigma2 *: ((M *m L) *m (M *m L)^T + \sum_(s < t) N s *m (N s)^T) == M *m D *m M^T + covariance Q X sigma2 t)
  = (sigma2 == 1) || (M *m D *m M^T == 0).
Proof.
move=> LD /=; rewrite (theorem2_covariance P Q X sigma2 t LD) /=.
rewrite -subr_eq0 opprD addrACA subrr addr0 -[X in _ - X]scale1r -scalerBl scaler_eq0 subr_eq0 //.
Qed.
End Sigma.

(* E14: the bias Q_t ... Q_1 (I - G_0^+ G_0) (1 (x) theta) can vanish for every theta although Q_t ... Q_1 (I - G_0^+ G_0) does not.
   Two entities in two dimensions know the second feature only, and then learn from public data and from each other (alpha = 1/2,
   beta = 0): the bias halves in every generation, but a functional of the product is constant. *)
Theorem E14 : exists (alpha beta : nat -> rat) (w : 'I_2 -> rat) (X Y : 'I_2 -> 'M[rat]_2) (Z : 'M[rat]_2) inverse,
  let T k := (X k)^T *m X k in let S (t : nat) j := (Y j)^T *m Y j in let Sx := Z^T *m Z in
  let G := gram alpha beta w T Sx S in let Q := recursive_map alpha w S inverse in let U := unseen alpha beta w T Sx S inverse in
  [/\ alpha 0%N = 0 /\ forall t, 0 <= alpha t <= 1 /\ 0 <= beta t <= 1,
      \sum_j w j = 1,
      forall k, pseudo_inverse (G 0%N k) (inverse 0%N k),
      forall t k, inverse t.+1 k *m G t.+1 k = 1%:M
    & converges (fun t => product Q t *m U *m \mxcol_(k < 2) 1%:M) 0 /\ ~ converges (fun t => product Q t *m U) 0].
Proof.
pose T := matrix2 0 0 0 1; pose E := matrix2 1 0 0 0; pose Ginv := matrix2 3%:R (- 4%:R) (- 4%:R) 8%:R.
pose half : rat := 2%:R^-1.
pose Y (j : 'I_2) := if j == 0 then matrix2 1 0 0 0 else matrix2 1 1 0 0; pose Z := matrix2 1 half 0 0.
pose inverse (t : nat) (k : 'I_2) := if t is 0%N then T else Ginv.
exists (fun t => if t is 0%N then 0 else half), (fun t => if t is 0%N then 1 else 0), (fun=> half), (fun=> T), Y, Z, inverse.
move=> T2 S Sx G Q U.
have scale2 x a b c e : x *: matrix2 a b c e = matrix2 (x * a) (x * b) (x * c) (x * e).
  by apply/matrixP => i j; rewrite !mxE; case: (i == 0); case: (j == 0).
have one2 : 1%:M = matrix2 1 0 0 1 by apply/matrixP => i j; rewrite !mxE; case: i => [[|[|]] ?] //; case: j => [[|[|]] ?].
have S0 t : S t 0 = matrix2 1 0 0 0 by rewrite /S /Y; compute_matrix.
have S1 t : S t 1 = matrix2 1 1 1 1 by rewrite /S /Y; compute_matrix.
have two (g : 'I_2 -> 'M[rat]_2) : \sum_j g j = g 0 + g 1.
  by rewrite !big_ord_recl big_ord0 addr0; congr (_ + g _); apply/val_inj.
have first k : G 0%N k = T.
  rewrite /G /gram subr0 !mul1r subrr scale0r scale0r !addr0 scale1r /T2 /T; compute_matrix.
have later t k : G t.+1 k = matrix2 1 half half (3%:R / 8%:R).
  rewrite /G /gram two S0 S1 /Sx /Z mulr0 scale0r add0r subr0 mulr1 !(scale2, tr2, mul2, add2); compute_matrix.
have unseenE : U = \mxdiag_k E.
  rewrite /U /unseen -mxdiagZ -mxdiagB; apply: eq_mxdiag => k; rewrite -/(G 0%N k) first /inverse one2.
  by rewrite /T /E; compute_matrix.
pose ones : 'M[rat]_(\sum_(k < 2) 2, 2) := \mxcol_(k < 2) 1%:M.
have seen : U *m ones = \mxcol_k E by rewrite unseenE mul_mxdiag_mxcol; apply: eq_mxcol => k; rewrite mulmx1.
have halves t : Q t.+1 *m \mxcol_(k < 2) E = half *: \mxcol_(k < 2) E.
  rewrite mul_mxblock_mxrow -mul_mx_scalar mxcol_mul; apply: eq_mxcol => k.
  by rewrite mul_mx_scalar two S0 S1 /inverse !(scale2, mul2, add2); compute_matrix.
have bias t : product Q t *m U *m ones = half ^+ t *: \mxcol_(k < 2) E.
  rewrite -mulmxA seen; elim: t => [|t IH] /=; first by rewrite mul1mx scale1r.
  by rewrite -mulmxA IH -scalemxAr halves scalerA exprSr.
pose l (j : 'I_2) := if j == 0 then matrix2 1 0 0 0 else matrix2 (-1) (-1) 0 0.
have kept t : (\mxrow_j l j) *m Q t.+1 = \mxrow_j l j.
  rewrite mul_mxrow_mxblock; apply: eq_mxrow => j; rewrite two /inverse -!scalemxAr -scalerDr -mulmxDl.
  have case_j : j = 0 \/ j = 1 by case: j => [[|[|]] ?] //; [left|right]; apply/val_inj.
  by case: case_j => ->; rewrite ?S0 ?S1 /l !(mul2, scale2, add2); compute_matrix.
have constant t : (\mxrow_j l j) *m (product Q t *m U) = \mxrow_j (l j *m E).
  rewrite mulmxA; have -> : (\mxrow_j l j) *m product Q t = \mxrow_j l j.
    by elim: t => [|t IH] /=; rewrite ?mulmx1 // mulmxA kept IH.
  by rewrite unseenE mul_mxrow_mxdiag.
split.
- by split=> // -[|t] /=; rewrite ?lexx ?ler01.
- by rewrite big_ord_recl big_ord1.
- by move=> k; rewrite first; split; rewrite /inverse /T; compute_matrix.
- by move=> t k; rewrite later /inverse one2; compute_matrix.
split.
  have vanishes : tends (fun t => half ^+ t) 0.
    apply: (@tends_driven _ half _ (fun=> 0)) => [x x0||t|]; [|by []|by rewrite exprS addr0|exact: tends_const].
    by exists (Num.bound x); apply/ltW/archi_boundP.
  move=> i j; have := tends_mul vanishes (tends_const ((\mxcol_(k < 2) E) i j)); rewrite mul0r => conv; rewrite mxE; move: conv.
  by apply: tends_eq => t; rewrite -/ones bias [RHS]mxE.
move=> zero; have := converges_mul (converges_const (\mxrow_j l j)) zero; rewrite mulmx0 => conv.
have none := converges_unique (converges_eq constant conv) (converges_const (\mxrow_j (l j *m E))).
have := congr1 (fun A : 'M[rat]_(2, \sum_(j < 2) 2) => submxrow A 0) none; rewrite submxrow0 mxrowK /l mul2.
by move/matrixP/(_ 0 0); rewrite !mxE /= => /eqP; vm_compute.
Qed.
