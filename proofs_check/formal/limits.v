(* Limits, without topology: a sequence of matrices converges if all entries do. With the Archimedean property, powers of a matrix
   vanish exactly if all eigenvalues are below one, and Theorem 3 follows. *)
From Coq Require Import Ring.
From mathcomp Require Import all_ssreflect all_algebra.
From Crossfeed Require Import forms recursions.
Import Order.TTheory GRing.Theory Num.Theory.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Local Open Scope ring_scope.

Section Sequences.
Variable F : numFieldType.
Add Ring scalars : (scalar_axioms F).
Implicit Types (u v : nat -> F) (l m a : F).

Definition tends u l : Prop := forall e, 0 < e -> exists N, forall t, (N <= t)%N -> `|u t - l| <= e.
Definition converges p q (A : nat -> 'M[F]_(p, q)) (L : 'M[F]_(p, q)) : Prop := forall i j, tends (fun t => A t i j) (L i j).
Definition archimedean : Prop := forall x : F, 0 <= x -> exists n : nat, x <= n%:R.

Lemma tends_const l : tends (fun=> l) l.
Proof. by move=> e e0; exists 0%N => t _; rewrite subrr normr0 ltW. Qed.
Lemma tends_eq u v l : u =1 v -> tends u l -> tends v l.
Proof. by move=> E conv e /conv[N near]; exists N => t /near; rewrite E. Qed.
Lemma tends_add u v l m : tends u l -> tends v m -> tends (fun t => u t + v t) (l + m).
Proof.
move=> convu convv e e0; have half : 0 < e / 2%:R by rewrite divr_gt0 ?ltr0n.
have [N nearu] := convu _ half; have [M nearv] := convv _ half; exists (maxn N M) => t.
rewrite geq_max => /andP[/nearu leu /nearv lev]; rewrite opprD addrACA (le_trans (ler_norm_add _ _)) //.
by apply: le_trans (ler_add leu lev) _; rewrite -mulrDl -mulr2n -mulr_natr mulfK ?pnatr_eq0.
Qed.
Lemma tends_mul u v l m : tends u l -> tends v m -> tends (fun t => u t * v t) (l * m).
Proof.
move=> convu convv e e0; pose b := 1 + (`|l| + `|m|); have b0 : 0 < b by rewrite ltr_paddr ?ltr01 ?addr_ge0.
pose s := e / (e + b); have eb : 0 < e + b by rewrite addr_gt0.
have s0 : 0 < s by rewrite divr_gt0.
have s1 : s <= 1 by rewrite ler_pdivr_mulr // mul1r ler_addl ltW.
have [N nearu] := convu _ s0; have [M nearv] := convv _ s0; exists (maxn N M) => t.
rewrite geq_max => /andP[/nearu leu /nearv lev].
have -> : u t * v t - l * m = (u t - l) * (v t - m) + (l * (v t - m) + (u t - l) * m).
  by scalar F.
have cross a x : `|x| <= s -> `|a * x| <= s * `|a| by move=> le; rewrite normrM mulrC ler_wpmul2r.
apply: le_trans (ler_norm_add _ _) _; apply: (@le_trans _ _ (s * b)).
  have -> : s * b = s + (s * `|l| + s * `|m|) by rewrite /b !mulrDr mulr1.
  apply: ler_add.
    by rewrite normrM -[s]mulr1; apply: ler_pmul => //; apply: le_trans lev s1.
  by apply: le_trans (ler_norm_add _ _) _; apply: ler_add; [|rewrite mulrC]; apply: cross.
by rewrite /s mulrAC ler_pdivr_mulr // ler_pmul2l // ler_addr ltW.
Qed.
Lemma tends_sum (I : finType) (u : I -> nat -> F) (l : I -> F) :
  (forall i, tends (u i) (l i)) -> tends (fun t => \sum_i u i t) (\sum_i l i).
Proof.
move=> conv; elim: (index_enum I) => [|i r IH].
  by rewrite big_nil; apply: tends_eq (tends_const 0) => t; rewrite big_nil.
by rewrite big_cons; apply: tends_eq (tends_add (conv i) IH) => t; rewrite big_cons.
Qed.
Lemma tends_unique u l m : tends u l -> tends u m -> l = m.
Proof.
move=> convl convm; apply/eqP; rewrite -subr_eq0 -normr_eq0; apply/eqP/le_anti; rewrite normr_ge0 andbT.
have [->//|] := eqVneq `|l - m| 0; rewrite -normr_gt0 normr_id => pos.
have third : 0 < `|l - m| / 3%:R by rewrite divr_gt0 ?ltr0n.
have [N nearl] := convl _ third; have [M nearm] := convm _ third; pose t := maxn N M.
have lel := nearl t (leq_maxl _ _); have lem := nearm t (leq_maxr _ _).
have : `|l - m| <= `|l - m| / 3%:R + `|l - m| / 3%:R.
  by apply: le_trans (ler_add lel lem); rewrite -[`|u t - l|]normrN opprB -{1}(subrK (u t) l) -addrA ler_norm_add.
by rewrite -mulrDl -mulr2n -mulr_natr ler_pdivl_mulr ?ltr0n // ler_pmul2l // ler_nat.
Qed.

(* A sequence x_(t+1) = a x_t + u_t with |a| < 1 and u_t -> 0 vanishes. *)
Lemma tends_driven a (x u : nat -> F) : archimedean -> `|a| < 1 -> (forall t, x t.+1 = a * x t + u t) -> tends u 0 -> tends x 0.
Proof.
move=> arch a1 step conv e e0; pose q := `|a|; have q0 : 0 <= q := normr_ge0 a.
have gap : 0 < 1 - q by rewrite subr_gt0.
have half : 0 < e / 2%:R by rewrite divr_gt0 ?ltr0n.
have [N small] := conv _ (mulr_gt0 half gap).
(* beyond N, what exceeds e/2 shrinks by q *)
have shrink s : `|x (N + s)%N| <= e / 2%:R + q ^+ s * `|x N|.
  elim: s => [|s IH]; first by rewrite addn0 expr0 mul1r ler_addr ltW.
  rewrite addnS step; apply: le_trans (ler_norm_add _ _) _; rewrite normrM -/q.
  have := small (N + s)%N (leq_addr _ _); rewrite subr0 => us.
  apply: le_trans (ler_add (ler_wpmul2l q0 IH) us) _.
  by rewrite [q * (_ + _)]mulrDr mulrA -exprS addrAC ler_add2r mulrBr mulr1 [q * _]mulrC addrC subrK.
(* Bernoulli: (1 + s (1 - q)) q^s <= 1 *)
have bernoulli s : q ^+ s * (1 + s%:R * (1 - q)) <= 1.
  elim: s => [|s IH]; first by rewrite expr0 mul0r addr0 mulr1.
  apply: le_trans IH; rewrite exprSr -mulrA; apply: ler_wpmul2l; first exact: exprn_ge0.
  rewrite -subr_ge0; have -> : 1 + s%:R * (1 - q) - q * (1 + s.+1%:R * (1 - q)) = s.+1%:R * ((1 - q) * (1 - q)) by scalar F.
  by rewrite !mulr_ge0 ?ler0n // ltW.
have [m big] : exists m : nat, `|x N| / (e / 2%:R) / (1 - q) <= m%:R.
  by apply: arch; apply: divr_ge0 (ltW gap); apply: divr_ge0 (ltW half).
exists (N + m)%N => t le; have -> : t = (N + (t - N))%N by rewrite subnKC // (leq_trans (leq_addr _ _) le).
have ms : (m <= t - N)%N by rewrite leq_subRL // (leq_trans (leq_addr _ _) le).
move: (t - N)%N ms => s ms; rewrite subr0; apply: le_trans (shrink s) _.
have two : e = e / 2%:R + e / 2%:R by rewrite -mulrDl -mulr2n -mulr_natr mulfK ?pnatr_eq0.
rewrite [X in _ <= X]two ler_add2l.
have low : `|x N| <= e / 2%:R * (1 + s%:R * (1 - q)).
  move: big; rewrite ler_pdivr_mulr // ler_pdivr_mulr // mulrC => big; apply: le_trans big _; apply: ler_wpmul2l; first exact: ltW.
  by apply: ler_paddl; [exact: ler01 | apply: ler_wpmul2r; [exact: ltW | rewrite ler_nat]].
apply: le_trans (ler_wpmul2l (exprn_ge0 s q0) low) _; rewrite mulrCA -[X in _ <= X]mulr1.
by apply: ler_wpmul2l; first exact: ltW.
Qed.

Lemma converges_const p q (L : 'M[F]_(p, q)) : converges (fun=> L) L.
Proof. by move=> i j; exact: tends_const. Qed.
Lemma converges_eq p q (A B : nat -> 'M[F]_(p, q)) L : A =1 B -> converges A L -> converges B L.
Proof. by move=> E conv i j; apply: tends_eq (conv i j) => t; rewrite E. Qed.
Lemma converges_add p q (A B : nat -> 'M[F]_(p, q)) L M : converges A L -> converges B M -> converges (fun t => A t + B t) (L + M).
Proof. by move=> a b i j; rewrite mxE; apply: tends_eq (tends_add (a i j) (b i j)) => t; rewrite mxE. Qed.
Lemma converges_mul p q r (A : nat -> 'M[F]_(p, q)) (B : nat -> 'M[F]_(q, r)) L M :
  converges A L -> converges B M -> converges (fun t => A t *m B t) (L *m M).
Proof.
move=> a b i j; rewrite mxE; apply: tends_eq (tends_sum (fun k => tends_mul (a i k) (b k j))) => t.
by rewrite mxE.
Qed.
Lemma converges_scale p q a (A : nat -> 'M[F]_(p, q)) L : converges A L -> converges (fun t => a *: A t) (a *: L).
Proof. by move=> conv i j; rewrite mxE; apply: tends_eq (tends_mul (tends_const a) (conv i j)) => t; rewrite mxE. Qed.
Lemma converges_tr p q (A : nat -> 'M[F]_(p, q)) L : converges A L -> converges (fun t => (A t)^T) L^T.
Proof. by move=> conv i j; rewrite mxE; apply: tends_eq (conv j i) => t; rewrite mxE. Qed.
Lemma converges_unique p q (A : nat -> 'M[F]_(p, q)) L M : converges A L -> converges A M -> L = M.
Proof. by move=> l m; apply/matrixP => i j; apply: tends_unique (l i j) (m i j). Qed.
End Sequences.

Section Powers.
Variables (C : numClosedFieldType) (n : nat).
Add Ring complexes : (scalar_axioms C).
Implicit Types (Q : 'M[C]_n) (v : 'cV[C]_n).

Definition stable Q : Prop := forall lambda, eigenvalue Q lambda -> `|lambda| < 1.
Notation power Q := (product (fun=> Q)).

Lemma powerC Q t : power Q t *m Q = Q *m power Q t.
Proof. by elim: t => [|t IH] /=; rewrite ?mul1mx ?mulmx1 // -mulmxA IH. Qed.

(* A vector that is annihilated by factors Q - a with |a| < 1 vanishes under powers of Q. *)
Lemma annihilated Q (roots : seq C) v : archimedean C -> (forall a, a \in roots -> `|a| < 1) ->
  foldl (fun u a => (Q - a%:M) *m u) v roots = 0 -> converges (fun t => power Q t *m v) 0.
Proof.
move=> arch; elim: roots v => [v _ /= ->|a roots IH v small /= zero].
  by apply: converges_eq (converges_const 0) => t; rewrite mulmx0.
have below b : b \in roots -> `|b| < 1 by move=> inb; apply: small; rewrite inE inb orbT.
have driven := IH _ below zero; move=> i j.
have near := driven i j; rewrite mxE in near; rewrite mxE.
apply: (tends_driven arch (small a (mem_head _ _)) _ near) => t.
rewrite /= -powerC -mulmxA; have -> : Q *m v = a *: v + (Q - a%:M) *m v by rewrite mulmxBl mul_scalar_mx addrC subrK.
by rewrite mulmxDr mxE -scalemxAr mxE.
Qed.
Lemma annihilates m (Q : 'M[C]_m.+1) (roots : seq C) (v : 'cV[C]_m.+1) :
  foldl (fun u a => (Q - a%:M) *m u) v roots = horner_mx Q (\prod_(a <- roots) ('X - a%:P)) *m v.
Proof.
elim: roots v => [|a roots IH] v /=; first by rewrite big_nil rmorph1 mul1mx.
by rewrite IH big_cons mulrC rmorphM /= rmorphB /= horner_mx_X horner_mx_C mulmxA.
Qed.
End Powers.

Section Theorem3.
Variable C : numClosedFieldType.
Notation power Q := (product (fun=> Q)).

Theorem theorem3_powers n (Q : 'M[C]_n) : archimedean C -> converges (power Q) 0 <-> stable Q.
Proof.
move=> arch; split=> [vanishes lambda /eigenvalueP[v Ev v0]|small].
  rewrite real_ltNge ?normr_real ?rpred1 //; apply: contra v0 => large.
  have scaled t : v *m power Q t = lambda ^+ t *: v.
    elim: t => [|t IH] /=; first by rewrite mulmx1 scale1r.
    by rewrite mulmxA Ev -scalemxAl IH scalerA exprS.
  have := converges_mul (converges_const v) vanishes; rewrite mulmx0 => zero.
  apply/eqP/matrixP => i j; rewrite [RHS]mxE; apply/eqP; rewrite -normr_eq0; apply/negPn/negP; rewrite -normr_gt0 normr_id => pos.
  have half : 0 < `|v i j| / 2%:R by rewrite divr_gt0 ?ltr0n.
  have [N near] := zero i j _ half; have := near N (leqnn N); rewrite scaled !mxE subr0 normrM normrX => le.
  have : `|v i j| <= `|v i j| / 2%:R.
    by apply: le_trans le; rewrite -{1}[`|v i j|]mul1r ler_wpmul2r // exprn_ege1.
  by rewrite ler_pdivl_mulr ?ltr0n // ger_pmulr // (ler_nat C 2 1).
case: n Q small => [|m] Q small; first by move=> [].
have [roots factors] := closed_field_poly_normal (char_poly Q); rewrite (monicP (char_poly_monic Q)) scale1r in factors.
have below a : a \in roots -> `|a| < 1.
  by move=> ina; apply: small; rewrite eigenvalue_root_char factors root_prod_XsubC.
move=> i j; have zero : foldl (fun u a => (Q - a%:M) *m u) (delta_mx j 0 : 'cV_m.+1) roots = 0.
  by rewrite annihilates -factors Cayley_Hamilton mul0mx.
have := annihilated arch below zero i 0; rewrite !mxE; apply: tends_eq => t.
by rewrite -colE mxE.
Qed.

Lemma stable_unit n (Q : 'M[C]_n) : stable Q -> 1%:M - Q \in unitmx.
Proof.
move=> small; rewrite -row_free_unit; apply: inj_row_free => v /eqP; rewrite mulmxBr mulmx1 subr_eq0 => /eqP fixed.
apply/eqP/negPn/negP => v0; have : eigenvalue Q 1 by apply/eigenvalueP; exists v; rewrite ?scale1r.
by move/small; rewrite normr1 ltxx.
Qed.

Notation constant P0 P := (fun s : nat => if s is 0%N then P0 else P).

(* Equation (1): M_t - M = Q^t (P_0 - M), and M_t -> M. *)
Lemma mean_map_limit n p (P0 P : 'M[C]_(n, p)) Q : archimedean C -> stable Q ->
  converges (mean_map (constant P0 P) (fun=> Q)) (invmx (1%:M - Q) *m P).
Proof.
move=> arch small; set M := invmx _ *m P; have vanishes := (theorem3_powers Q arch).2 small.
have fixed : M = P + Q *m M.
  by apply/eqP; rewrite -subr_eq -{1}[M]mul1mx -mulmxBl /M mulmxA mulmxV ?stable_unit // mul1mx.
have distance t : mean_map (constant P0 P) (fun=> Q) t - M = power Q t *m (P0 - M).
  elim: t => [|t IH] /=; first by rewrite mul1mx.
  by rewrite -mulmxA -IH mulmxBr {1}fixed opprD addrACA subrr add0r.
have := converges_add (converges_mul vanishes (converges_const (P0 - M))) (converges_const M); rewrite mul0mx add0r.
by apply: converges_eq => t; rewrite -distance subrK.
Qed.

(* Theorem 3, mean. *)
Theorem theorem3_mean n p (P0 P : 'M[C]_(n, p)) Q U (fits : 'cV[C]_p) (truth : 'cV[C]_n) : archimedean C -> stable Q ->
  P0 *m fits = truth - U *m truth -> P *m fits = truth - Q *m truth ->
  converges (fun t => mean_map (constant P0 P) (fun=> Q) t *m fits) truth.
Proof.
move=> arch small start kept; have vanishes := (theorem3_powers Q arch).2 small.
have := converges_add (converges_const truth) (converges_mul vanishes (converges_const (- (U *m truth)))).
rewrite mul0mx addr0; apply: converges_eq => t.
by rewrite (@theorem2_mean _ _ _ _ _ U _ truth) // mulmxN -mulmxA.
Qed.

(* Equation (2): vec(C) = sigma^2 (I - Q (x) Q)^-1 vec(Q S^+ Q'), where Q (x) Q is the matrix of A -> Q A Q'; it is the only fixed
   point, and the limit of C_t. *)
Theorem eq2_limit n q (Q : 'M[C]_n) (X : 'M[C]_(n, q)) sigma2 : archimedean C -> stable Q ->
  let QQ := lin_mx (mulmxr Q^T \o mulmx Q) in
  let limit := vec_mx (mxvec (sigma2 *: (Q *m (X *m X^T) *m Q^T)) *m invmx (1%:M - QQ)) in
  [/\ limit = Q *m (sigma2 *: (X *m X^T) + limit) *m Q^T,
      forall A, A = Q *m (sigma2 *: (X *m X^T) + A) *m Q^T -> A = limit
    & converges (covariance (fun=> Q) (fun=> X) sigma2) limit].
Proof.
move=> arch small QQ limit; have vanishes := (theorem3_powers Q arch).2 small.
have vec A : mxvec A *m QQ = mxvec (Q *m A *m Q^T) by rewrite mul_vec_lin.
have shrinks A : A = Q *m A *m Q^T -> A = 0.
  move=> fixed; have moved t : A = power Q t *m A *m (power Q t)^T.
    elim: t => [|t IH] /=; first by rewrite trmx1 mul1mx mulmx1.
    by rewrite {1}fixed {1}IH trmx_mul !mulmxA.
  apply: (converges_unique (converges_const A)).
  have := converges_mul (converges_mul vanishes (converges_const A)) (converges_tr vanishes); rewrite !mul0mx.
  by apply: converges_eq => t; rewrite -moved.
have unit : 1%:M - QQ \in unitmx.
  rewrite -row_free_unit; apply: inj_row_free => v /eqP; rewrite mulmxBr mulmx1 subr_eq0 -[v]vec_mxK vec => /eqP E.
  by rewrite (shrinks (vec_mx v)) ?linear0 //; apply: (can_inj mxvecK).
have split_fixed A : Q *m (sigma2 *: (X *m X^T) + A) *m Q^T = sigma2 *: (Q *m (X *m X^T) *m Q^T) + Q *m A *m Q^T.
  by rewrite mulmxDr mulmxDl -scalemxAr -scalemxAl.
have fixed : limit = Q *m (sigma2 *: (X *m X^T) + limit) *m Q^T.
  rewrite split_fixed; apply: (can_inj mxvecK); rewrite linearD /= -vec; apply/eqP; rewrite -subr_eq.
  by rewrite -{1}[mxvec limit]mulmx1 -mulmxBr vec_mxK mulmxKV.
have unique A : A = Q *m (sigma2 *: (X *m X^T) + A) *m Q^T -> A = limit.
  move=> E; apply/eqP; rewrite -subr_eq0; apply/eqP/shrinks.
  by rewrite {1}E {1}fixed -mulmxBl -mulmxBr opprD addrACA subrr add0r.
split=> //; have distance t : covariance (fun=> Q) (fun=> X) sigma2 t = limit - power Q t *m limit *m (power Q t)^T.
  elim: t => [|t IH] /=; first by rewrite trmx1 mul1mx mulmx1 subrr.
  by rewrite IH addrA mulmxBr mulmxBl -fixed trmx_mul !mulmxA.
have := converges_mul (converges_mul vanishes (converges_const (- limit))) (converges_tr vanishes).
rewrite !mul0mx => /(converges_add (converges_const limit)); rewrite addr0.
by apply: converges_eq => t; rewrite distance mulmxN mulNmx.
Qed.

(* Theorem 3, covariance: the covariance of Theorem 2 (theorem2_covariance) converges. *)
Theorem theorem3_covariance n p q (P0 P : 'M[C]_(n, p)) Q (X : 'M[C]_(n, q)) sigma2 (D : 'M[C]_p) limit :
  archimedean C -> stable Q ->
  limit = Q *m (sigma2 *: (X *m X^T) + limit) *m Q^T ->
  let M := invmx (1%:M - Q) *m P in let M_ t := mean_map (constant P0 P) (fun=> Q) t in
  converges (fun t => sigma2 *: (M_ t *m D *m (M_ t)^T) + covariance (fun=> Q) (fun=> X) sigma2 t)
    (sigma2 *: (M *m D *m M^T) + limit).
Proof.
move=> arch small fixed M M_; have [_ unique conv] := eq2_limit X sigma2 arch small.
rewrite (unique limit fixed); apply: converges_add conv; apply: converges_scale.
have near := mean_map_limit P0 P arch small.
exact: converges_mul (converges_mul near (converges_const D)) (converges_tr near).
Qed.
End Theorem3.
