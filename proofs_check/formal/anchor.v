(* The public anchor, sharp: private data of bounded strength beside public data, for given prompts. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms ecosystem universal.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Anchor.
Variables (C : numClosedFieldType) (d : nat) (K : finType).
Add Ring scalars : (scalar_axioms C).
Implicit Types (P B S E : 'M[C]_d) (x y z u v : 'cV[C]_d).

(* Forms do not see the kernel of their matrix. *)
Lemma form_mod P x y : psd P -> P *m x = P *m y -> form P x = form P y.
Proof. by move=> [symP _] E; rewrite /form bil_mul E -bil_mul -(bilC _ _ symP) bil_mul E -bil_mul bilC. Qed.

(* If E <= l P and P y = E u, then y* P y <= l u* E u. *)
Lemma dominated_square P E (l : C) u y : psd P -> psd E -> 0 <= l -> (forall z, form E z <= l * form P z) -> P *m y = E *m u ->
  form P y <= l * form E u.
Proof.
move=> psdP psdE l0 below Py; have [zero|nonzero] := eqVneq (form P y) 0; first by rewrite zero mulr_ge0 ?psdE.2.
have pos : 0 < form P y by rewrite lt_neqAle eq_sym nonzero psdP.2.
rewrite -(ler_pmul2l pos); have -> : form P y * form P y = `|bil E y u| ^+ 2.
  by rewrite [bil E y u]bil_mul -Py -bil_mul -/(form P y) ger0_norm ?psdP.2 // expr2.
apply: le_trans (cauchy_schwarz _ _ psdE) _; rewrite mulrA [form P y * l]mulrC; apply: ler_wpmul2r (below y).
exact: psdE.2.
Qed.

(* A fit G u = P x with a P <= G <= c P and c = a + l: the map from x to 2 a c u - (a + c) x stretches by at most l. *)
Lemma anchored P G (a l : C) x u : psd P -> 0 <= a -> 0 <= l -> psd (G - a *: P) -> psd ((a + l) *: P - G) -> G *m u = P *m x ->
  form P ((a * (a + l) *+ 2) *: u - (a + (a + l)) *: x) <= l ^+ 2 * form P x.
Proof.
move=> psdP a0 l0 psdE psdF fit; set E := G - a *: P in psdE.
have below z : form E z <= l * form P z.
  have := psdF.2 z; have -> : (a + l) *: P - G = l *: P - E by rewrite /E scalerDl opprB addrA [l *: P + _]addrC.
  by rewrite /form /bil mulmxBr mulmxBl -scalemxAr -scalemxAl !mxE subr_ge0.
have [|D ED] := dominated psdE (psd_scale l0 psdP) _; first by move=> z; rewrite {2}/form bil_scale; apply: below.
have [y Py] : exists y, P *m y = E *m u by exists (l *: (D *m u)); rewrite ED -scalemxAr -!scalemxAl mulmxA.
have N := dominated_square psdP psdE l0 below Py.
have Px : P *m x = P *m (a *: u + y) by rewrite mulmxDr Py -scalemxAr -fit /E mulmxBl -scalemxAl addrC subrK.
have uPy : bil P u y = form E u by rewrite bil_mul Py -bil_mul.
have yPu : bil P y u = form E u by rewrite -(bilC u y psdP.1) uPy form_real ?psdE.1.
rewrite (form_mod psdP Px); have Pz : P *m ((a * (a + l) *+ 2) *: u - (a + (a + l)) *: x)
    = P *m ((a * l) *: u - (a + (a + l)) *: y).
  rewrite !mulmxBr -!scalemxAr Px mulmxDr -scalemxAr scalerDr opprD addrA scalerA -scalerBl.
  by congr (_ + _); congr (_ *: _); scalar C.
rewrite (form_mod psdP Pz) formB !formZ !(bilZl, bilZr) uPy yPu.
have real b : 0 <= b -> b^* = b by move=> b0; apply: geC0_conj.
rewrite !real ?addr_ge0 ?mulr_ge0 // !ger0_norm ?addr_ge0 ?mulr_ge0 //.
rewrite [form P (a *: u + y)]/form !(bilDl, bilDr, bilZl, bilZr) uPy yPu real // -!/(form _ _) -subr_ge0.
move: (form P u) (form P y) (form E u) N => p n e N.
have -> : l ^+ 2 * (a * (a * p + e) + (a * e + n)) - ((a * l) ^+ 2 * p - a * l * ((a + (a + l)) * e) - (a + (a + l)) * (a * l * e)
  + (a + (a + l)) ^+ 2 * n) = 4%:R * (a * (a + l)) * (l * e - n) by scalar C.
apply: mulr_ge0; last by rewrite subr_ge0.
by apply: mulr_ge0 (ler0n _ _) _; apply: mulr_ge0 => //; apply: addr_ge0.
Qed.

(* The public anchor for given prompts: nu as in Theorem U, a real data set's strength between t and t + l of the pool. *)
Theorem anchor_bound alpha (w : K -> C) (S R : K -> 'M[C]_d) (t l nu lambda : C) :
  ecosystem alpha (fun=> w) S R -> 0 <= t -> 0 <= l ->
  let P := \sum_j w j *: S j in
  (forall k, psd (R k - (t * alpha k) *: P)) -> (forall k, psd (((t + l) * alpha k) *: P - R k)) ->
  (forall x (v : K -> 'cV[C]_d), (forall j, P *m v j = w j *: (S j *m x)) ->
    \sum_j sqrtC (form P (v j)) <= nu * sqrtC (form P x)) ->
  0 <= nu -> mode alpha (fun=> w) S R lambda ->
  `|lambda| <= ((1 + t)^-1 + (1 + t + l)^-1) / 2%:R + nu * (((1 + t)^-1 - (1 + t + l)^-1) / 2%:R).
Proof.
move=> eco t0 l0 P low high prompts nu0 found; set a := 1 + t; have a0 : 0 < a by apply: ltr_paddr; [|apply: ltr01].
set c := a + l; have c0 : 0 < c by apply: ltr_paddr.
have [an cn] : a != 0 /\ c != 0 by split; apply: lt0r_neq0.
have -> : (a^-1 + c^-1) / 2%:R + nu * ((a^-1 - c^-1) / 2%:R) = (a + c + nu * l) / (a * c *+ 2).
  have ac2 : a * c *+ 2 != 0 by rewrite lt0r_neq0 ?pmulrn_lgt0 ?mulr_gt0.
  apply: (mulIf ac2); rewrite mulfVK //.
  have [one_a one_c one_2] : [/\ a * a^-1 = 1, c * c^-1 = 1 & 2%:R * 2%:R^-1 = 1 :> C].
    by split; apply: divff; rewrite ?pnatr_eq0.
  transitivity (2%:R * 2%:R^-1 * (a * a^-1 * c + c * c^-1 * a + nu * (a * a^-1 * c - c * c^-1 * a))).
    by move: (a^-1) (c^-1) (2%:R^-1) => ia ic h; scalar C.
  by rewrite one_a one_c one_2 /c; scalar C.
rewrite ler_pdivl_mulr ?pmulrn_lgt0 ?mulr_gt0 //.
have [->|nonzero] := eqVneq lambda 0.
  by rewrite normr0 mul0r; apply: addr_ge0; [apply: addr_ge0; apply: ltW | apply: mulr_ge0].
have [x [y [pos psdB reflected moved]]] := mode_reflects eco nonzero found; rewrite -/P in pos reflected moved.
have [posa posW psdS _] := eco; have [_ [[k _] _]] := found; have posw := posW k; have psdP : psd P := weighted_psd posw psdS.
pose u j := 2%:R^-1 *: (y j + x); have two : (2%:R : C) != 0 by rewrite pnatr_eq0.
have uu j : u j *+ 2 = y j + x by rewrite -scaler_nat scalerA divff // scale1r.
have fit j : (P + (alpha j)^-1 *: R j) *m u j = P *m x.
  by apply: (scalerI two); rewrite /u -scalemxAr scalerA divff // scale1r reflected mulmxDr -mulr2n scaler_nat.
pose z j := (a * c *+ 2) *: u j - (a + c) *: x.
have stretched j : form P (z j) <= l ^+ 2 * form P x.
  have ja : (alpha j)^-1 * alpha j = 1 by rewrite mulVf // lt0r_neq0.
  apply: anchored (fit j) => //; first exact: ltW.
    have -> : P + (alpha j)^-1 *: R j - a *: P = (alpha j)^-1 *: (R j - (t * alpha j) *: P).
      by rewrite scalerBr scalerA mulrCA ja mulr1 /a scalerDl scale1r opprD addrACA subrr add0r.
    by apply: psd_scale (low j); rewrite invr_ge0 ltW.
  have -> : (a + l) *: P - (P + (alpha j)^-1 *: R j) = (alpha j)^-1 *: (((t + l) * alpha j) *: P - R j).
    by rewrite scalerBr scalerA mulrCA ja mulr1 /a -addrA scalerDl scale1r opprD addrACA subrr add0r.
  by apply: psd_scale (high j); rewrite invr_ge0 ltW.
pose s := a * c * (lambda *+ 2) - (a + c).
have shifted : P *m (s *: x) = \sum_j w j *: (S j *m z j).
  have Px : \sum_j w j *: (S j *m x) = P *m x.
    by rewrite mulmx_suml; apply: eq_bigr => j _; rewrite -scalemxAl.
  have term j : w j *: (S j *m z j) = (a * c) *: (w j *: (S j *m y j)) + (a * c - (a + c)) *: (w j *: (S j *m x)).
    have -> : z j = (a * c) *: y j + (a * c - (a + c)) *: x by rewrite /z -scalerMnl scalerMnr uu scalerDr -addrA -scalerBl.
    by rewrite mulmxDr -!scalemxAr scalerDr !scalerA ![w j * _]mulrC.
  rewrite (eq_bigr _ (fun j _ => term j)) big_split /= -!scaler_sumr -moved Px -!scalemxAr !scalerA -scalerDl.
  by congr (_ *: _); rewrite /s; scalar C.
have near : `|s| <= nu * l.
  have /fin_all_exists[v Pv] : forall j, exists v, P *m v = w j *: (S j *m x).
    move=> j; have [|D PD] := dominated (psd_scale (posw j) (psdS j)) psdP; last by exists (D *m x); rewrite mulmxA -PD scalemxAl.
    by move=> q; rewrite {1}/form bil_scale; apply: below_sum.
  rewrite -(ler_pmul2r pos) -{1}(ger0_norm (ltW pos)) -normrM -bilZr bil_mul shifted mulmx_sumr summxE.
  apply: le_trans (ler_norm_sum _ _ _) _; rewrite -[in X in _ <= X](sqrtCK (form P x)) expr2 mulrA mulrAC.
  apply: (@le_trans _ _ ((\sum_j sqrtC (form P (v j))) * (l * sqrtC (form P x)))); last first.
    by rewrite mulrAC -[X in _ <= X]mulrA; apply: ler_wpmul2r (prompts x v Pv); rewrite mulr_ge0 ?sqrtC_ge0 ?psdP.2.
  rewrite mulr_suml; apply: ler_sum => j _.
  have -> : (x^h *m (w j *: (S j *m z j))) 0 0 = bil P (v j) (z j).
    have entry (b : C) (M : 'M[C]_1) : (b *: M) 0 0 = b * M 0 0 by rewrite mxE.
    rewrite -(bilC _ _ psdP.1) bil_mul Pv -!scalemxAr !entry rmorphM /= geC0_conj // -!bil_mul bilC //.
    exact: (psdS j).1.
  rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?mulr_ge0 ?sqrtC_ge0 ?psdP.2 // !exprMn !sqrtCK.
  apply: le_trans (cauchy_schwarz _ _ psdP) _; apply: ler_wpmul2l; first exact: psdP.2.
  exact: stretched.
have -> : `|lambda| * (a * c *+ 2) = `|s + (a + c)|.
  rewrite -[a * c *+ 2 in LHS]ger0_norm ?pmulrn_lge0 ?mulr_ge0 ?(ltW a0) ?(ltW c0) // -normrM.
  by congr `|_|; rewrite /s; scalar C.
apply: le_trans (ler_norm_add _ _) _; rewrite [a + c + _]addrC; apply: ler_add => //.
by rewrite ger0_norm // addr_ge0 ?(ltW a0) ?(ltW c0).
Qed.
End Anchor.
