(* Hermitian forms x* S x over a closed field with conjugation, such as the complex numbers; real data are a special case.
   Nothing here needs S to be invertible. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

(* Coq's decision procedure for identities of commutative rings: `Add Ring name : (scalar_axioms C).` in a section, then
   `scalar C`. *)
Lemma scalar_axioms (R : comRingType) :
  @ring_theory (GRing.Zmodule.sort (GRing.Ring.zmodType (GRing.ComRing.ringType R)))
    0 1 +%R *%R (fun x y => x - y) -%R eq.
Proof.
by split=> //; [exact: add0r | exact: addrC | exact: addrA | exact: mul1r | exact: mulrC | exact: mulrA | exact: mulrDl | exact: subrr].
Qed.
Ltac scalar C :=
  let R := constr:(GRing.ComRing.ringType C) in
  let Z := constr:(GRing.Ring.zmodType R) in
  rewrite ?(mulrS, mulr0n, exprS, expr0);
  lazymatch goal with |- @eq _ ?a ?b => change (@eq (GRing.Zmodule.sort Z) a b) end; apply: (@addrI Z 0);
  repeat match goal with
  | |- context [@GRing.add ?V] => lazymatch V with Z => fail | _ => change (@GRing.add V) with (@GRing.add Z) end
  | |- context [@GRing.opp ?V] => lazymatch V with Z => fail | _ => change (@GRing.opp V) with (@GRing.opp Z) end
  | |- context [GRing.zero ?V] => lazymatch V with Z => fail | _ => change (GRing.zero V) with (GRing.zero Z) end
  | |- context [@GRing.mul ?V] => lazymatch V with R => fail | _ => change (@GRing.mul V) with (@GRing.mul R) end
  | |- context [GRing.one ?V] => lazymatch V with R => fail | _ => change (GRing.one V) with (GRing.one R) end
  end;
  ring.

Definition adjoint (C : numClosedFieldType) m n (A : 'M[C]_(m, n)) : 'M[C]_(n, m) := map_mx conjC A^T.
Notation "A ^h" := (adjoint A) (at level 2, format "A ^h") : ring_scope.

Section Adjoint.
Variable C : numClosedFieldType.

Lemma adjointK m n (A : 'M[C]_(m, n)) : (A^h)^h = A.
Proof. by apply/matrixP => i j; rewrite !mxE conjCK. Qed.
Lemma adjointM m n p (A : 'M[C]_(m, n)) (B : 'M[C]_(n, p)) : (A *m B)^h = B^h *m A^h.
Proof. by rewrite /adjoint trmx_mul map_mxM. Qed.
Lemma adjointD m n (A B : 'M[C]_(m, n)) : (A + B)^h = A^h + B^h.
Proof. by apply/matrixP => i j; rewrite !mxE rmorphD. Qed.
Lemma adjointN m n (A : 'M[C]_(m, n)) : (- A)^h = - A^h.
Proof. by apply/matrixP => i j; rewrite !mxE rmorphN. Qed.
Lemma adjointZ m n (a : C) (A : 'M[C]_(m, n)) : (a *: A)^h = a^* *: A^h.
Proof. by apply/matrixP => i j; rewrite !mxE rmorphM. Qed.
Lemma adjoint1 n : (1%:M : 'M[C]_n)^h = 1%:M.
Proof. by apply/matrixP => i j; rewrite !mxE eq_sym; case: (_ == _); rewrite ?rmorph1 ?rmorph0. Qed.
Lemma adjoint_sum m n (I : finType) (A : I -> 'M[C]_(m, n)) : (\sum_i A i)^h = \sum_i (A i)^h.
Proof. by apply/matrixP => i j; rewrite !mxE !summxE rmorph_sum; apply: eq_bigr => k _; rewrite !mxE. Qed.

Lemma norm_ge0 n (x : 'cV[C]_n) : 0 <= (x^h *m x) 0 0.
Proof. by rewrite mxE; apply: sumr_ge0 => i _; rewrite !mxE mulrC mul_conjC_ge0. Qed.
Lemma norm_eq0 n (x : 'cV[C]_n) : (x^h *m x) 0 0 = 0 -> x = 0.
Proof.
rewrite mxE => zero; apply/matrixP => i j; rewrite ord1 [RHS]mxE.
have pos k : true -> 0 <= x^h 0 k * x k 0 by move=> _; rewrite !mxE mulrC mul_conjC_ge0.
by have /(_ i isT) := psumr_eq0P pos zero; rewrite !mxE mulrC => /eqP; rewrite mul_conjC_eq0 => /eqP.
Qed.
End Adjoint.

Section Forms.
Variables (C : numClosedFieldType) (d : nat).
Add Ring scalars : (scalar_axioms C).
Implicit Types (A B S R : 'M[C]_d) (x y z t : 'cV[C]_d) (a : C).

Definition bil S x y : C := (x^h *m S *m y) 0 0.
Definition form S x : C := bil S x x.
Definition psd S : Prop := S^h = S /\ forall x, 0 <= form S x.

Lemma bilDl S x y z : bil S (x + y) z = bil S x z + bil S y z.
Proof. by rewrite /bil adjointD !mulmxDl mxE. Qed.
Lemma bilDr S x y z : bil S z (x + y) = bil S z x + bil S z y.
Proof. by rewrite /bil mulmxDr mxE. Qed.
Lemma bilNl S x y : bil S (- x) y = - bil S x y.
Proof. by rewrite /bil adjointN !mulNmx mxE. Qed.
Lemma bilNr S x y : bil S x (- y) = - bil S x y.
Proof. by rewrite /bil mulmxN mxE. Qed.
Lemma bilZl S a x y : bil S (a *: x) y = a^* * bil S x y.
Proof. by rewrite /bil adjointZ -!scalemxAl mxE. Qed.
Lemma bilZr S a x y : bil S x (a *: y) = a * bil S x y.
Proof. by rewrite /bil -scalemxAr mxE. Qed.
Lemma bilC S x y : S^h = S -> (bil S x y)^* = bil S y x.
Proof.
move=> symS; rewrite /bil.
have -> : y^h *m S *m x = (x^h *m S *m y)^h by rewrite !adjointM adjointK symS mulmxA.
by rewrite !mxE.
Qed.
Lemma bil_add S R x y : bil (S + R) x y = bil S x y + bil R x y.
Proof. by rewrite /bil mulmxDr mulmxDl mxE. Qed.
Lemma bil_scale a S x y : bil (a *: S) x y = a * bil S x y.
Proof. by rewrite /bil -scalemxAr -scalemxAl mxE. Qed.
Lemma bil_mul S x y : bil S x y = (x^h *m (S *m y)) 0 0.
Proof. by rewrite /bil mulmxA. Qed.
Lemma bil_sum (I : finType) (S : I -> 'M[C]_d) x y : bil (\sum_i S i) x y = \sum_i bil (S i) x y.
Proof. by rewrite /bil mulmx_sumr mulmx_suml summxE. Qed.

Lemma formB S x y : form S (x - y) = form S x - bil S x y - bil S y x + form S y.
Proof. by rewrite /form !(bilDl, bilDr, bilNl, bilNr); scalar C. Qed.
Lemma formZ S a x : form S (a *: x) = `|a| ^+ 2 * form S x.
Proof. by rewrite /form bilZl bilZr normCK; scalar C. Qed.

Lemma form_real S x : S^h = S -> (form S x)^* = form S x.
Proof. exact: bilC. Qed.

Lemma psd_add S R : psd S -> psd R -> psd (S + R).
Proof.
move=> [symS posS] [symR posR]; split; first by rewrite adjointD symS symR.
by move=> x; rewrite /form bil_add addr_ge0 ?posS ?posR.
Qed.
Lemma psd_scale a S : 0 <= a -> psd S -> psd (a *: S).
Proof.
move=> posa [symS posS]; split; first by rewrite adjointZ symS geC0_conj.
by move=> x; rewrite /form bil_scale mulr_ge0 ?posS.
Qed.
Lemma psd_sum (I : finType) (S : I -> 'M[C]_d) : (forall i, psd (S i)) -> psd (\sum_i S i).
Proof.
move=> psdS; split; first by rewrite adjoint_sum; apply: eq_bigr => i _; case: (psdS i).
by move=> x; rewrite /form bil_sum; apply: sumr_ge0 => i _; exact: (psdS i).2.
Qed.

(* A positive semidefinite form vanishes only on the kernel of its matrix. *)
Lemma psd_ker S x : psd S -> form S x = 0 -> S *m x = 0.
Proof.
move=> [symS posS] zero; set y := S *m x; set n : C := (y^h *m y) 0 0; set q := form S y.
have yx : bil S y x = n by rewrite bil_mul.
have n0 : 0 <= n := norm_ge0 y.
have xy : bil S x y = n by rewrite -(bilC y x symS) yx geC0_conj.
have q0 : 0 <= q := posS y.
have E : form S ((q + 1) *: x - n *: y) = - (n ^+ 2 * (q + 2%:R)).
  rewrite formB !formZ zero !(bilZl, bilZr) xy yx -/q !geC0_conj ?addr_ge0 ?ler01 // (ger0_norm n0) mulr0.
  by scalar C.
apply: norm_eq0; rewrite -/n; apply/eqP; rewrite -sqrf_eq0; apply/eqP/le_anti.
rewrite exprn_ge0 // andbT -(pmulr_lle0 _ (ltr_spaddr (ltr0Sn C 1) q0)) -oppr_ge0 -E.
exact: posS.
Qed.

Lemma cauchy_schwarz S x y : psd S -> `|bil S x y| ^+ 2 <= form S x * form S y.
Proof.
move=> psdS; have [symS posS] := psdS; have [zero|nonzero] := eqVneq (form S x) 0.
  rewrite zero mul0r -(bilC y x symS) bil_mul (psd_ker psdS zero) mulmx0 mxE conjC0 normr0 expr0n //=.
have pos : 0 < form S x by rewrite lt_neqAle eq_sym nonzero posS.
have E : form S (form S x *: y - bil S x y *: x) = form S x * (form S x * form S y - `|bil S x y| ^+ 2).
  rewrite formB !formZ !(bilZl, bilZr) geC0_conj ?posS // (ger0_norm (posS x)) (bilC x y symS) normCK (bilC x y symS).
  by rewrite -!/(form _ _); scalar C.
by rewrite -subr_ge0 -(pmulr_rge0 _ pos) -E.
Qed.

Lemma form_outer (a y : 'cV[C]_d) : form (a *m a^h) y = `|(a^h *m y) 0 0| ^+ 2.
Proof.
rewrite /form /bil !mulmxA -mulmxA mxE big_ord1 normCK mulrC; congr (_ * _).
by rewrite -[LHS]conjCK; congr (_^*); rewrite -[a in LHS]adjointK -adjointM !mxE conjCK.
Qed.
Lemma outer_hermitian (a : 'cV[C]_d) : (a *m a^h)^h = a *m a^h.
Proof. by rewrite adjointM adjointK. Qed.

(* Every positive semidefinite matrix is a sum of matrices a a*. *)
Lemma sum_of_squares A : psd A -> exists n (a : 'I_n -> 'cV[C]_d), A = \sum_i a i *m (a i)^h.
Proof.
have [r] := ubnP (\rank A); elim: r A => // r induction A; rewrite ltnS => rankA psdA.
have [->|/matrix0Pn[i [j nonzero]]] := eqVneq A 0; first by exists 0%N, (fun=> 0); rewrite big_ord0.
have [symA posA] := psdA; set x : 'cV[C]_d := delta_mx j 0.
have Ax : A *m x != 0.
  by apply/eqP => /matrixP/(_ i 0); rewrite -colE !mxE; apply/eqP.
have f0 : form A x != 0 by apply: contra Ax => /eqP/(psd_ker psdA) ->.
have f1 : 0 < form A x by rewrite lt_neqAle eq_sym f0 posA.
pose a := (sqrtC (form A x))^-1 *: (A *m x); pose B := A - a *m a^h.
have aa : a *m a^h = (form A x)^-1 *: (A *m x *m (A *m x)^h).
  rewrite /a adjointZ -scalemxAl -scalemxAr scalerA geC0_conj ?invr_ge0 ?sqrtC_ge0 ?ltW //.
  by rewrite -invfM -expr2 sqrtCK.
have psdB : psd B.
  split; first by rewrite adjointD adjointN outer_hermitian symA.
  move=> y; have -> : form B y = form A y - (form A x)^-1 * `|bil A x y| ^+ 2.
    rewrite /B aa; set O := _ *m _^h; have -> : `|bil A x y| ^+ 2 = form O y.
      by rewrite /O form_outer adjointM symA bil_mul mulmxA.
    by rewrite -bil_scale /form /bil mulmxBr mulmxBl !mxE.
  by rewrite subr_ge0 ler_pdivr_mull //; apply: cauchy_schwarz.
have Bx : B *m x = 0.
  rewrite mulmxBl aa -scalemxAl -mulmxA; apply/eqP; rewrite subr_eq0 eq_sym.
  have -> : (A *m x)^h *m x = (form A x)%:M.
    by apply/matrixP => k l; rewrite !ord1 adjointM symA [in RHS]mxE eqxx mulr1n.
  by rewrite mul_mx_scalar scalerA mulVf // scale1r.
have less : (\rank B < \rank A)%N.
  have sub : (B <= A)%MS.
    apply/submxP; exists (1%:M - (form A x)^-1 *: (A *m x *m x^h)).
    by rewrite mulmxBl mul1mx -scalemxAl -[_ *m x^h *m A]mulmxA /B aa adjointM symA.
  have : (B < A)%MS; last by rewrite ltmxErank => /andP[].
  rewrite /ltmx sub; apply: contra Ax => /submxP[D ->]; by rewrite -mulmxA Bx mulmx0.
have [n [b Bb]] := induction B (leq_trans less rankA) psdB.
exists n.+1, (fun k => if unlift ord0 k is Some l then b l else a).
rewrite big_ord_recl unlift_none -(subrK (a *m a^h) A) addrC; congr (_ + _).
by rewrite [LHS]Bb; apply: eq_bigr => k _; rewrite liftK.
Qed.

(* If A <= B, then the range of B contains that of A. *)
Lemma dominated A B : psd A -> psd B -> (forall y, form A y <= form B y) -> exists D, A = B *m D.
Proof.
move=> psdA psdB below; have kernel y : B *m y = 0 -> A *m y = 0.
  move=> By; apply: (psd_ker psdA); apply/le_anti; rewrite psdA.2 andbT.
  by apply: le_trans (below y) _; rewrite /form bil_mul By mulmx0 mxE.
suff /submxP[D AD] : (A^T <= B^T)%MS by exists D^T; rewrite -[A]trmxK AD trmx_mul trmxK.
rewrite submxE; apply/eqP; set Z := cokermx _; set Y := map_mx conjC Z.
have BY : B *m Y = 0 by rewrite -{1}psdB.1 /adjoint -map_mxM mulmx_coker map_mx0.
have AY : A *m Y = 0.
  apply/matrixP => i j; have := kernel (Y *m delta_mx j 0); rewrite mulmxA BY mul0mx => /(_ erefl).
  by move/matrixP/(_ i 0); rewrite mulmxA -colE !mxE.
have -> : A^T *m Z = map_mx conjC (A *m Y).
  rewrite map_mxM -map_mx_comp -{2}psdA.1 /adjoint; congr (_ *m _); apply/matrixP => i j; rewrite !mxE ?conjCK //.
  by rewrite /= conjCK.
by rewrite AY map_mx0.
Qed.

Lemma weighted_psd (I : finType) (W : I -> C) (S : I -> 'M[C]_d) :
  (forall i, 0 <= W i) -> (forall i, psd (S i)) -> psd (\sum_i W i *: S i).
Proof. by move=> posW psdS; apply: psd_sum => i; apply: psd_scale. Qed.
End Forms.
