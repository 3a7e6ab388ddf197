(* Theorem K: an ecosystem whose entities know a share kappa of what they publish. With R_k the weighted Gram matrix of entity
   k's real data and S_k that of its prompts, R_k >= kappa alpha_k S_k bounds the growth in any network of readers, for any
   number of entities, any dimension and any ranks. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Knowledge.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (alpha kappa u : K -> C) (W : K -> K -> C) (S R : K -> 'M[C]_d) (theta new : K -> 'cV[C]_d).

(* x* S x - 4 t* R t = (x - 2t)* S (x - 2t) for a weighted fit t of x. *)
Theorem theoremK_fit (S R : 'M[C]_d) (t x : 'cV[C]_d) : psd S -> psd R -> (S + R) *m t = S *m x -> form R t *+ 4 <= form S x.
Proof. by move=> psdS psdR normal; rewrite -subr_ge0 -fit_reflects //; case: psdS. Qed.

(* One generation: what an entity's estimate is worth on its own prompts is at most 1/(4 kappa) of what it read. *)
Theorem theoremK_generation alpha kappa W S R theta new : ecosystem alpha W S R ->
  (forall k y, kappa k * alpha k * form (S k) y <= form (R k) y) -> trains alpha W S R theta new ->
  forall k, kappa k * form (S k) (new k) *+ 4 <= \sum_j W k j * form (S j) (theta j).
Proof.
move=> [posa posW psdS psdR] knows trained k; have [x consensus] := consensus_exists theta (posW k) psdS.
apply: le_trans (theoremK_consensus (posW k) psdS consensus).
set P := \sum_j _ in consensus *; have psdP : psd P by apply: weighted_psd.
have ia : 0 < (alpha k)^-1 by rewrite invr_gt0.
have trained' : (P + (alpha k)^-1 *: R k) *m new k = P *m x.
  apply: (scalerI (lt0r_neq0 (posa k))); rewrite consensus -trained -/P scalemxAl scalerDr scalerA.
  by rewrite divff ?lt0r_neq0 // scale1r.
apply: le_trans (theoremK_fit psdP (psd_scale (ltW ia) (psdR k)) trained').
rewrite ler_pmuln2r // /form bil_scale -(ler_pmul2l (posa k)) mulVKf ?lt0r_neq0 //.
by rewrite mulrA [alpha k * _]mulrC; apply: knows.
Qed.

(* Any network: 4 |lambda|^2 is at most r for every positive vector u with diag(1/kappa) W u <= r u. By Collatz and Wielandt the
   smallest such r is the spectral radius of diag(1/kappa) W. *)
Theorem theoremK alpha kappa u W S R lambda r : ecosystem alpha W S R -> (forall k, 0 < kappa k) -> (forall k, 0 < u k) ->
  (forall k y, kappa k * alpha k * form (S k) y <= form (R k) y) ->
  (forall k, \sum_j W k j * u j <= r * kappa k * u k) ->
  mode alpha W S R lambda -> `|lambda| ^+ 2 *+ 4 <= r.
Proof.
move=> eco posk posu knows perron [theta [[? [i publishes]] trained]]; have [posa posW psdS psdR] := eco.
have step := theoremK_generation eco knows trained.
pose e k := form (S k) (theta k) / u k.
have pose k : 0 <= e k by rewrite divr_ge0 ?(ltW (posu k)) ?(psdS k).2.
have [k _ best] := @real_arg_maxP _ _ i xpredT e isT (fun k _ => ger0_real (pose k)).
have ei : 0 < e i.
  rewrite lt_neqAle pose andbT eq_sym mulf_eq0 invr_eq0 negb_or (lt0r_neq0 (posu i)) andbT.
  by apply: contra publishes => /eqP/(psd_ker (psdS i)) ->; rewrite scaler0.
have ek : 0 < e k := lt_le_trans ei (best i isT).
have le_u j : form (S j) (theta j) <= e k * u j by rewrite -ler_pdivr_mulr //; apply: best.
have read : \sum_j W k j * form (S j) (theta j) <= e k * (r * kappa k * u k).
  apply: le_trans (ler_wpmul2l (ltW ek) (perron k)); rewrite mulr_sumr; apply: ler_sum => j _.
  by rewrite mulrCA; apply: ler_wpmul2l.
have := le_trans (step k) read; rewrite formZ.
have -> : form (S k) (theta k) = e k * u k by rewrite mulfVK ?lt0r_neq0.
have -> : kappa k * (`|lambda| ^+ 2 * (e k * u k)) *+ 4 = (e k * (kappa k * u k)) * (`|lambda| ^+ 2 *+ 4).
  by scalar C.
have -> : e k * (r * kappa k * u k) = (e k * (kappa k * u k)) * r by scalar C.
rewrite ler_pmul2l => [//|]; exact: mulr_gt0 ek (mulr_gt0 (posk k) (posu k)).
Qed.

(* Entities that know a quarter of what they publish never diverge, whoever reads whom. *)
Theorem theoremK_quarter alpha W S R lambda : ecosystem alpha W S R -> (forall k, \sum_j W k j = 1) ->
  (forall k y, alpha k * form (S k) y <= form (R k) y *+ 4) ->
  mode alpha W S R lambda -> `|lambda| <= 1.
Proof.
move=> eco sumW knows found.
have four : (0 : C) < 4%:R by rewrite ltr0n.
rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?normr_ge0 // expr1n -(ler_pmuln2r (isT : 0 < 4)%N).
apply: (@theoremK alpha (fun=> 4%:R^-1) (fun=> 1) W S R) => // [k|k|k y|k].
- by rewrite invr_gt0.
- exact: ltr01.
- by rewrite -mulrA ler_pdivr_mull // mulr_natl.
- by rewrite mulr1 divff ?lt0r_neq0 // -{2}(sumW k); apply: ler_sum => j _; rewrite mulr1.
Qed.

(* One pool with shares w. *)
Theorem theoremK_pool alpha kappa (w : K -> C) S R lambda : ecosystem alpha (fun=> w) S R -> (forall k, 0 < kappa k) ->
  (forall k y, kappa k * alpha k * form (S k) y <= form (R k) y) ->
  mode alpha (fun=> w) S R lambda -> `|lambda| ^+ 2 *+ 4 <= \sum_j w j / kappa j.
Proof.
move=> eco posk knows; apply: (@theoremK _ _ (fun k => (kappa k)^-1) _ _ _ _ _ eco posk _ knows) => k.
  by rewrite invr_gt0.
by rewrite -mulrA divff ?lt0r_neq0 // mulr1.
Qed.

(* Weights, readers and real data that change from generation to generation: no energy beyond the largest at the start. *)
Theorem theoremK_schedule (alpha : nat -> K -> C) (W : nat -> K -> K -> C) S (R : nat -> K -> 'M[C]_d)
    (theta : nat -> K -> 'cV[C]_d) B :
  (forall t, ecosystem (alpha t) (W t) S (R t)) -> (forall t k, \sum_j W t k j = 1) ->
  (forall t k y, alpha t k * form (S k) y <= form (R t k) y *+ 4) ->
  (forall t, trains (alpha t) (W t) S (R t) (theta t) (theta t.+1)) ->
  (forall j, form (S j) (theta 0%N j) <= B) -> forall t k, form (S k) (theta t k) <= B.
Proof.
move=> eco sumW knows trained start; elim=> [//|t below] k; have [_ posW _ _] := eco t.
have quarter i y : 4%:R^-1 * alpha t i * form (S i) y <= form (R t i) y.
  by rewrite -mulrA ler_pdivr_mull ?ltr0n // mulr_natl.
have := @theoremK_generation (alpha t) (fun=> 4%:R^-1) (W t) S (R t) _ _ (eco t) quarter (trained t) k.
rewrite -mulrnAl -mulr_natr mulVf ?pnatr_eq0 // mul1r => /le_trans; apply.
by rewrite -[B]mul1r -(sumW t k) mulr_suml; apply: ler_sum => j _; apply: ler_wpmul2l.
Qed.
End Knowledge.
