(* An ecosystem: entity k trains on its real data, whose weighted Gram matrix is R_k = (1 - alpha_k)(beta_k S~_k + (1 - beta_k) S_* ),
   and with weight alpha_k on what it reads: a share W_kj of entity j's rows, whose Gram matrix is S_j. A new estimate is any
   solution of the normal equations, so singular data and minimum-norm solutions are included. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Ecosystem.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (alpha : K -> C) (W : K -> K -> C) (S R : K -> 'M[C]_d) (theta new : K -> 'cV[C]_d).

Definition ecosystem alpha W S R : Prop :=
  [/\ forall k, 0 < alpha k, forall k j, 0 <= W k j, forall k, psd (S k) & forall k, psd (R k)].

(* One generation, for deviations from the truth and without noise: the map Q. *)
Definition trains alpha W S R theta new : Prop := forall k,
  (alpha k *: (\sum_j W k j *: S j) + R k) *m new k = alpha k *: \sum_j W k j *: (S j *m theta j).

(* lambda is an eigenvalue of Q: a generation multiplies estimates by lambda, and something of them is read. (Where nothing is
   read of an eigenvector, Q maps it to zero.) *)
Definition mode alpha W S R lambda : Prop :=
  exists theta, (exists i k, W i k *: (S k *m theta k) != 0) /\ trains alpha W S R theta (fun k => lambda *: theta k).

(* Normal equations (S + R) t = S x of a fit t to x. *)
Lemma fit_reflects (A B : 'M[C]_d) t x : psd A -> psd B -> (A + B) *m t = A *m x ->
  form A (x - (t + t)) = form A x - form B t *+ 4.
Proof.
move=> [symA posA] [symB posB] normal.
have tx : bil A t x = form A t + form B t by rewrite bil_mul -normal -bil_mul bil_add.
have xt : bil A x t = form A t + form B t by rewrite -(bilC t x symA) tx rmorphD /= !form_real.
by rewrite formB -/(form _ _) /form !bilDl !bilDr -!/(form _ _) tx xt; scalar C.
Qed.

(* What is read has no more energy than what was published. *)
Theorem theoremK_consensus (w : K -> C) S theta x :
  (forall j, 0 <= w j) -> (forall j, psd (S j)) ->
  (\sum_j w j *: S j) *m x = \sum_j w j *: (S j *m theta j) ->
  form (\sum_j w j *: S j) x <= \sum_j w j * form (S j) (theta j).
Proof.
move=> posw psdS consensus; set P := \sum_j _ in consensus *.
have psdP : psd P by apply: weighted_psd.
have xt : \sum_j w j * bil (S j) x (theta j) = form P x.
  rewrite /form bil_mul consensus mulmx_sumr summxE; apply: eq_bigr => j _.
  by rewrite -scalemxAr mxE -bil_mul.
have tx : \sum_j w j * bil (S j) (theta j) x = form P x.
  rewrite -(form_real x psdP.1) -xt rmorph_sum; apply: eq_bigr => j _.
  by rewrite rmorphM /= geC0_conj // bilC //; case: (psdS j).
have : 0 <= \sum_j w j * form (S j) (theta j - x).
  by apply: sumr_ge0 => j _; apply: mulr_ge0 => //; case: (psdS j).
have -> : \sum_j w j * form (S j) (theta j - x) = \sum_j w j * form (S j) (theta j) - form P x.
  transitivity (\sum_j w j * form (S j) (theta j) - \sum_j w j * bil (S j) (theta j) x
    - \sum_j w j * bil (S j) x (theta j) + \sum_j w j * form (S j) x).
    by rewrite -!sumrB -big_split; apply: eq_bigr => j _; rewrite /= formB; scalar C.
  have -> : \sum_j w j * form (S j) x = form P x by rewrite /form bil_sum; apply: eq_bigr => j _; rewrite bil_scale.
  by rewrite tx xt; scalar C.
by rewrite subr_ge0.
Qed.

(* The consensus exists: what is published lies in the range of what is read. *)
Lemma consensus_exists (w : K -> C) S theta :
  (forall j, 0 <= w j) -> (forall j, psd (S j)) ->
  exists x, (\sum_j w j *: S j) *m x = \sum_j w j *: (S j *m theta j).
Proof.
move=> posw psdS; set P := \sum_j _; have psdP : psd P by apply: weighted_psd.
have below j : exists D, w j *: S j = P *m D.
  apply: dominated => //; first exact: psd_scale.
  move=> y; rewrite /form /P bil_sum (bigD1 j) //= ler_addl; apply: sumr_ge0 => i _.
  by rewrite bil_scale; apply: mulr_ge0 => //; case: (psdS i) => _; apply.
have /fin_all_exists[D PD] := below.
exists (\sum_j D j *m theta j); rewrite mulmx_sumr; apply: eq_bigr => j _.
by rewrite mulmxA -PD scalemxAl.
Qed.
End Ecosystem.
