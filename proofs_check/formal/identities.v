(* Identities of pseudo-inverses, of least squares and of gradient steps, for matrices of any size. *)
From mathcomp Require Import all_ssreflect all_algebra.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

(* Penrose's equations, which define the pseudo-inverse. *)
Definition pseudo_inverse (F : fieldType) m n (A : 'M[F]_(m, n)) (P : 'M[F]_(n, m)) : Prop :=
  [/\ A *m P *m A = A, P *m A *m P = P, (A *m P)^T = A *m P & (P *m A)^T = P *m A].

Theorem theorem1_moments (F : fieldType) m n (X : 'M[F]_(m, n)) P : pseudo_inverse X P ->
  X^T *m X *m P = X^T /\ pseudo_inverse (X^T *m X) (P *m P^T).
Proof.
move=> [XPX PXP symXP symPX]; have moment : X^T *m X *m P = X^T.
  by rewrite -mulmxA -symXP -trmx_mul XPX.
have moment' : P^T *m (X^T *m X) = X by rewrite mulmxA -trmx_mul symXP XPX.
have left : X^T *m X *m (P *m P^T) = P *m X.
  by rewrite mulmxA moment -trmx_mul symPX.
have right : P *m P^T *m (X^T *m X) = P *m X by rewrite -mulmxA moment'.
split=> //; split; rewrite ?left ?right //; last by rewrite mulmxA PXP.
by rewrite -symPX trmx_mul -mulmxA moment'.
Qed.

Theorem theorem2_projection (F : fieldType) m n (X : 'M[F]_(m, n)) P : pseudo_inverse X P -> X^T *m X *m P *m X = X^T *m X.
Proof. by move=> [XPX _ _ _]; rewrite -!mulmxA [X in _ *m X]mulmxA XPX. Qed.

(* Gauss and Markov: with V = (X'X)^-1, every unbiased linear estimator L of the parameters has L L' = V + N N', and the least
   trace is that of pooled least squares. *)
Theorem text_best_unbiased (F : realFieldType) m n (X : 'M[F]_(m, n)) (V : 'M[F]_n) : V^T = V -> V *m (X^T *m X) = 1%:M ->
  (forall L : 'M[F]_(n, m), L *m X = 1%:M -> \tr V <= \tr (L *m L^T)) /\
  (V *m X^T) *m X = 1%:M /\ (V *m X^T) *m (V *m X^T)^T = V.
Proof.
move=> symV VX; have pooled : (V *m X^T) *m (V *m X^T)^T = V.
  by rewrite trmx_mul trmxK symV !mulmxA -[V *m X^T *m X]mulmxA VX mul1mx.
split=> [L LX|]; last by split=> //; rewrite -mulmxA.
pose N := L - V *m X^T.
have LL : L *m L^T = V + N *m N^T.
  have cross : L *m (V *m X^T)^T = V by rewrite trmx_mul trmxK symV mulmxA LX mul1mx.
  have cross' : (V *m X^T) *m L^T = V by rewrite -mulmxA -trmx_mul LX trmx1 mulmx1.
  by rewrite /N linearB /= mulmxBl !mulmxBr cross cross' pooled subrr subr0 addrC subrK.
rewrite LL mxtraceD ler_addl; apply: sumr_ge0 => i _; rewrite mxE; apply: sumr_ge0 => j _.
by rewrite [N^T _ _]mxE -expr2 sqr_ge0.
Qed.

(* Volume: I - H = x sum_j w_j R_j (S + x R_j)^-1. *)
Theorem volume_gap (F : fieldType) n (K : finType) (w : K -> F) (S : 'M[F]_n) (R : K -> 'M[F]_n) x :
  \sum_j w j = 1 -> (forall j, S + x *: R j \in unitmx) ->
  1%:M - \sum_j w j *: (S *m invmx (S + x *: R j)) = x *: \sum_j w j *: (R j *m invmx (S + x *: R j)).
Proof.
move=> sumw unitG; rewrite -{1}[1%:M]scale1r -{1}sumw scaler_suml -sumrB scaler_sumr; apply: eq_bigr => j _.
rewrite scalerA [x * _]mulrC -scalerA -scalerBr; congr (_ *: _).
by rewrite -{1}(mulmxV (unitG j)) -mulmxBl addrC addKr -scalemxAl.
Qed.

(* Gradient steps of size eta from t0 for the normal equations G t = z. *)
Fixpoint descent (F : fieldType) n (G : 'M[F]_n) eta (z t0 : 'cV[F]_n) s : 'cV[F]_n :=
  if s is r.+1 then let t := descent G eta z t0 r in t - eta *: (G *m t - z) else t0.

Theorem gradient_lifted (F : fieldType) n (G Q : 'M[F]_n.+1) eta (z t0 : 'cV[F]_n.+1) s : G \in unitmx -> G *m (Q *m t0) = z ->
  let A := (1%:M - eta *: G) ^+ s in let Qs := A + (1%:M - A) *m Q in
  descent G eta z t0 s = Qs *m t0 /\ 1%:M - Qs = (1%:M - A) *m (1%:M - Q).
Proof.
move=> unitG fit A Qs; split; last by rewrite /Qs opprD addrA mulmxBr mulmx1.
have split_error B : (B + (1%:M - B) *m Q) *m t0 = Q *m t0 + B *m (t0 - Q *m t0).
  by rewrite !mulmxDl !mulNmx mul1mx mulmxBr !mulmxA addrCA.
rewrite {}/Qs {}/A; elim: s => [|s induction] /=; first by rewrite expr0 subrr mul0mx addr0 mul1mx.
rewrite induction exprS -mulmxE !split_error -fit -mulmxBr addrAC subrr add0r -addrA; congr (_ + _).
by rewrite -mulmxA mulmxBl mul1mx -scalemxAl.
Qed.

(* Weighted least squares on data sets with n rows each; rows of zeros may fill them up. *)
Section LeastSquares.
Variables (F : realFieldType) (n d : nat) (I : finType) (c : I -> F) (X : I -> 'M[F]_(n, d)).
Implicit Types (y : I -> 'cV[F]_n) (t u : 'cV[F]_d).

Definition loss y t : F := \sum_i c i * ((X i *m t - y i)^T *m (X i *m t - y i)) 0 0.
Definition fitted y t : Prop := forall u, loss y t <= loss y u.

Lemma trZ m p a (A : 'M[F]_(m, p)) : (a *: A)^T = a *: A^T.
Proof. exact: linearZ. Qed.
Lemma square_ge0 m (v : 'cV[F]_m) : 0 <= (v^T *m v) 0 0.
Proof. by rewrite mxE; apply: sumr_ge0 => i _; rewrite mxE -expr2 sqr_ge0. Qed.

Lemma squareD m (r s : 'cV[F]_m) : ((r + s)^T *m (r + s)) 0 0 = (r^T *m r) 0 0 + (s^T *m r) 0 0 *+ 2 + (s^T *m s) 0 0.
Proof.
have sym : (r^T *m s) 0 0 = (s^T *m r) 0 0 by rewrite -[r^T *m s]trmxK trmx_mul trmxK [LHS]mxE.
have add (A B : 'M[F]_1) : (A + B) 0 0 = A 0 0 + B 0 0 by rewrite mxE.
by rewrite [(r + s)^T]linearD /= mulmxDl !mulmxDr !add sym mulr2n !addrA.
Qed.

(* The weighted squares of entity k are least exactly at the solutions of the normal equations. *)
Lemma least_squares y t : (forall i, 0 <= c i) ->
  fitted y t <-> (\sum_i c i *: ((X i)^T *m X i)) *m t = \sum_i c i *: ((X i)^T *m y i).
Proof.
move=> c0; set G := \sum_i _; set z := \sum_i _; pose g := G *m t - z.
pose q u := \sum_i c i * ((X i *m u)^T *m (X i *m u)) 0 0.
have q0 u : 0 <= q u by apply: sumr_ge0 => i _; rewrite mulr_ge0 ?square_ge0.
have qZ a u : q (a *: u) = a ^+ 2 * q u.
  rewrite mulr_sumr; apply: eq_bigr => i _; rewrite -scalemxAr trZ -scalemxAl -scalemxAr scalerA mxE -expr2.
  by rewrite mulrCA.
have moved u : loss y (t + u) = loss y t + (u^T *m g) 0 0 *+ 2 + q u.
  have -> : (u^T *m g) 0 0 = \sum_i c i * ((X i *m u)^T *m (X i *m t - y i)) 0 0.
    rewrite /g /G /z mulmx_suml -sumrB mulmx_sumr summxE; apply: eq_bigr => i _.
    by rewrite -scalemxAl -scalerBr -scalemxAr mxE trmx_mul -!mulmxA -mulmxBr.
  rewrite -sumrMnl -!big_split; apply: eq_bigr => i _ /=; rewrite -mulrnAr -!mulrDr; congr (_ * _).
  have -> : X i *m (t + u) - y i = (X i *m t - y i) + X i *m u by rewrite mulmxDr addrAC.
  by rewrite squareD.
split=> [best|fit u]; last first.
  have -> : u = t + (u - t) by rewrite addrC subrK.
  by rewrite moved /g fit subrr mulmx0 mxE mul0rn addr0 ler_addl.
have [zero|nonzero] := eqVneq ((g^T *m g) 0 0) 0.
  apply/eqP; rewrite -subr_eq0 -/g; apply/eqP/matrixP => i j; rewrite ord1 [RHS]mxE.
  have pos k : true -> 0 <= g^T 0 k * g k 0 by move=> _; rewrite mxE -expr2 sqr_ge0.
  move: zero; rewrite mxE => /(psumr_eq0P pos)/(_ i isT)/eqP; rewrite mxE -expr2 sqrf_eq0 => /eqP.
  by [].
set a := (g^T *m g) 0 0 in nonzero; have a0 : 0 < a by rewrite lt_neqAle eq_sym nonzero square_ge0.
pose e := a / (q g + a); have pos : 0 < q g + a by rewrite ltr_paddl.
have e0 : 0 < e by rewrite divr_gt0.
have := best (t + (- e) *: g); rewrite moved qZ trZ -scalemxAl mxE -/a -addrA ler_addl sqrrN.
rewrite expr2 -mulrA -mulrnAr mulNr addrC subr_ge0 ler_pmul2l // => /(le_trans _) low.
have : e * q g < a *+ 2.
  apply: (@lt_trans _ _ (a *+ 2 / 2%:R + 0)).
    rewrite addr0 -mulr_natr mulfK ?pnatr_eq0 // /e mulrAC ltr_pdivr_mulr // ltr_pmul2l //.
    by rewrite ltr_addl.
  by rewrite addr0 -mulr_natr mulfK ?pnatr_eq0 // ltr_pmulr // ltr1n.
by rewrite ltNge low.
Qed.
End LeastSquares.
