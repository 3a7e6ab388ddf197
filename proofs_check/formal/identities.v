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
