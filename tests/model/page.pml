/*
 * The page barrier's protocol: marking beside a program that stores without any barrier, with the kernel telling which
 * pages were written. Run by run.py with the switches of variants.txt; spin -a page.pml alone checks the right protocol.
 *
 * Modelled: three slots (1; 2 and 3) in two spans that are also the pages; the global is slot 4, alone on a third page,
 * always in use and marked. A slot holds one pointer. MUTATORS threads with two registers each load and store plainly,
 * allocate, free what nobody else can reach (slot by slot, also garbage that points to reused slots), without end. The
 * collector runs cycle after cycle:
 *
 *   protect, page by page -> flip: new slots black -> mark from the global, with any number of pre-cleaning rounds, at
 *     any moment -> stop: registers, last dirty pages, what is grey -> sweep, span by span -> protect ...
 *
 * The flip comes after the last page was protected: a slot that is black from the start and is written while its page
 * is not protected yet would never be scanned (BLACK_BEFORE_PROTECT).
 *
 *   model                     code
 *   alloc, mark, remote       tri_bitgroup.alloc, .mark, .rfree (alloc/mspan.h)
 *   bit of wp clear           the page is dirty: a store to it takes the protection away (userfaultfd, async mode)
 *   preclean                  one PAGEMAP_SCAN call that reports and protects again, then the re-scan (design.md 5.2)
 *   magazine, refill, flush   slots that a thread holds for itself; in BITMAP there are none
 *   BITMAP                    what alloc/mcache.c does today: the owner's frees clear alloc, others' set rfree
 *   swept                     tri_mspan.sweepgen; merge_remote: tri_mspan_collect_rfree; sweep_span: tri_mspan_sweep
 *   dead                      TRI_SPAN_DEAD: the span's pages are back in mheap; slot 1's span only
 *   shade, drain step         mark_slot and the scan of one grey object (gc/mark.c)
 *   stop_and_finish           termination (gc/cycle.c)
 *
 * SMALL leaves slot 3 out. Freed slots are zeroed, to keep the states few; STALE_WORDS leaves what was in them.
 * SPAN_DEATH lets slot 1's span die and be born again.
 *
 * Each mutator step is one instruction of the program or one call of the runtime; no stop falls inside the latter
 * (stop.pml), and it meets markers and sweeper in single words only. Reading an object and marking what was found are
 * two steps. Registers of a thread are interchangeable, so they are kept sorted.
 *
 * Checked: [lost] no reachable slot is unmarked when marking ends; [reclaimed] no reachable slot is swept away;
 * [twice] no slot is handed out that is in use; [inside] no marker reads a span that is dead.
 * Not modelled: stores in other cores' buffers while a page is protected again (the call returns after the TLB
 * shoot-down), conservative roots (they only mark more), objects of two fields or on two pages, more than one marker.
 */

#ifndef MUTATORS
#define MUTATORS 2
#endif

/* The slots in use; SMALL: one on each page. */
#ifdef SMALL
#define ALL 3
#else
#define ALL 7
#endif
/* A slot's bit; 0 for no slot. */
#define B(o) ((1 << (o)) >> 1)
#define GLOBAL 4
#define PAGE_BIT(o) (1 << ((o) >> 1))
/* Slots of the pages in a set of pages. */
#define SLOTS(pages) (((pages) & 1) | ((((pages) >> 1) & 1) * 6) | ((((pages) >> 2) & 1) * 8))
#define SPAN_SWEPT(o) (swept & PAGE_BIT(o))

#define GET(x, i) (((x) >> (2 * (i))) & 3)
#define SET(x, i, v) x = ((x) & ~(3 << (2 * (i)))) | ((v) << (2 * (i)))
#define WORDS(slots) (((slots) & 1) * 3 + ((slots) & 2) * 6 + ((slots) & 4) * 12)
#define FIELD(o) GET(fields, (o) - 1)
#define REG(i) GET(regs, 2 * _pid + (i))
#define SET_REG(i, v) SET(regs, 2 * _pid + (i), v)
#define MAG ((magazines >> (3 * _pid)) & 7)
#define MAG_ADD(o) magazines = magazines | (B(o) << (3 * _pid))
#define MAG_TAKE(o) magazines = magazines & ~(B(o) << (3 * _pid))
#define IN_MAGAZINES ((magazines & 7) | (magazines >> 3))

#define ROOTS (B(GET(regs, 0)) | B(GET(regs, 1)) | B(GET(regs, 2)) | B(GET(regs, 3)))
#define FOLLOW(s) ((s) | (((s) & 1) * B(FIELD(1))) | ((((s) >> 1) & 1) * B(FIELD(2))) | ((((s) >> 2) & 1) * B(FIELD(3))))

/* The program. */
unsigned regs : 8;
unsigned fields : 8;
/* The allocator. */
unsigned alloc : 3;
unsigned magazines : 6;
unsigned remote : 3;
unsigned swept : 2 = 3;
bit dead;
/* The collector. */
bit marking;
unsigned mark : 3;
unsigned grey : 4;
unsigned wp : 3;
unsigned found : 2; /* read from the object under scan */
unsigned next_page : 2;
/* What was removed. */
#ifdef FETCH_WITHOUT_PROTECT
unsigned seen : 3; /* pages taken for clean although they were not protected again */
#else
#define seen 0
#endif
#if defined(PROTECT_AFTER_RESCAN) || defined(FETCH_THEN_PROTECT_ALL)
unsigned fetched : 3;
#endif
#ifdef NEW_PAGES_CLEAN
unsigned untracked : 3;
#else
#define untracked 0
#endif
/* Only the assertions read these; zero whenever all is well, and between steps. */
unsigned inuse : 3;
unsigned lost : 3;
unsigned reclaimed : 3;
unsigned inside : 4;
bit twice;
/* Scratch, zero between steps. */
unsigned a : 2;
unsigned o : 3;
unsigned set : 4;

inline compute_reachable(s) {
  s = ROOTS | B(FIELD(GLOBAL));
  s = FOLLOW(s);
  s = FOLLOW(s)
}

inline store(slot, value) {
  SET(fields, slot - 1, value);
  wp = wp & (untracked | ~PAGE_BIT(slot))
}

inline pick(s) {
  if
  :: (s) & 1 -> o = 1
  :: (s) & 2 -> o = 2
  :: (s) & 4 -> o = 3
  fi
}

/* ---- allocation and free ---- */

inline hand_out() {
  twice = (inuse & B(o)) != 0;
  assert(!twice);
  inuse = inuse | B(o);
  if
  :: FIELD(o) != 0 -> store(o, 0)
  :: else
  fi;
  SET_REG(a, o)
}

#ifdef ALLOC_UNSWEPT
#define FREE_SLOTS (ALL & ~alloc & ~dead)
#else
#define FREE_SLOTS (SLOTS(swept) & ALL & ~alloc & ~dead)
#endif

/* The marked-magazines scheme marks whatever is in a magazine or remote list while marking; EMPTY_AT_TERMINATION and
 * BITMAP need not, and leave new objects white here. */
#if defined(EMPTY_AT_TERMINATION) || (defined(BITMAP) && defined(WHITE))
#define MARK_ENTRY(o) skip
#define MARK_FREED(o) skip
#elif defined(BITMAP)
#define MARK_ENTRY(o) mark = mark | (marking * B(o))
#define MARK_FREED(o) skip
#else
#ifdef REFILL_DOES_NOT_MARK
#define MARK_ENTRY(o) skip
#else
#define MARK_ENTRY(o) mark = mark | (marking * B(o))
#endif
#if defined(FREE_DOES_NOT_MARK)
#define MARK_FREED(o) skip
#elif defined(FREE_CLEARS_MARK)
#define MARK_FREED(o) mark = mark & ~B(o)
#else
#define MARK_FREED(o) mark = mark | (marking * B(o))
#endif
#endif

inline give_back() {
  inuse = inuse & ~B(o);
  MARK_FREED(o);
#ifndef STALE_WORDS
  SET(fields, o - 1, 0);
#endif
  if
#ifdef BITMAP
  :: SPAN_SWEPT(o) -> alloc = alloc & ~B(o)
#else
  :: MAG_ADD(o)
#endif
  :: remote = remote | B(o)
  fi
}

/* Drops a register; what nobody can reach then is freed, or left as garbage. */
inline drop_or_free() {
  o = REG(a);
  SET_REG(a, 0);
  compute_reachable(set);
  if
  :: !(set & B(o)) -> give_back()
  :: skip
  fi
}

/* ---- mutators: processes 0 and 1 ---- */

active [MUTATORS] proctype mutator() {
  do
  :: atomic {
      if
      :: a = 0
      :: a = 1
      fi;
      if
      :: SET_REG(a, FIELD(GLOBAL))
      :: store(GLOBAL, REG(a))
      :: store(GLOBAL, 0)
      :: REG(a) -> SET_REG(a, FIELD(REG(a)))
      :: REG(a) -> SET_REG(1 - a, FIELD(REG(a)))
      :: REG(a) -> store(REG(a), REG(1 - a))
      :: REG(a) -> store(REG(a), REG(a))
      :: REG(a) && REG(1 - a) -> store(REG(a), 0)
      :: REG(a) -> drop_or_free()
#ifdef BITMAP
      :: !REG(a) && FREE_SLOTS -> pick(FREE_SLOTS); alloc = alloc | B(o); MARK_ENTRY(o); hand_out()
#else
      :: !REG(a) && MAG -> pick(MAG); MAG_TAKE(o); hand_out()
      :: !a && FREE_SLOTS -> pick(FREE_SLOTS); alloc = alloc | B(o); MARK_ENTRY(o); MAG_ADD(o) /* refill */
      :: !a && (MAG & SLOTS(swept)) -> pick(MAG & SLOTS(swept)); MAG_TAKE(o); alloc = alloc & ~B(o) /* flush */
#endif
      :: !a && (remote & SLOTS(swept)) -> /* merge_remote */
        pick(remote & SLOTS(swept)); remote = remote & ~B(o); alloc = alloc & ~B(o)
#ifdef SPAN_DEATH /* [FREE-2] */
#ifdef RELEASE_WHILE_MARKING
      :: !a && !dead && !(alloc & 1) && (swept & 1) -> dead = 1; wp = wp & ~1
#else
      :: !a && !dead && !(alloc & 1) && (swept & 1) && !marking -> dead = 1; wp = wp & ~1
#endif
#ifdef NEW_PAGES_CLEAN
      :: !a && dead -> dead = 0; untracked = marking; wp = wp | marking
#else
      :: !a && dead -> dead = 0; wp = wp & ~1
#endif
#endif
      fi;
      if
      :: REG(0) > REG(1) -> o = REG(0); SET_REG(0, REG(1)); SET_REG(1, o)
      :: else
      fi;
      a = 0; o = 0; set = 0
    }
  od
}

/* ---- the collector ---- */

inline shade() {
  if
  :: found && (alloc & ~mark & B(found)) -> mark = mark | B(found); grey = grey | B(found)
  :: else
  fi
}

inline read_object(slot) {
  inside = dead & B(slot);
  assert(inside == 0);
  found = FIELD(slot);
  grey = grey & ~B(slot)
}

inline flip() {
  d_step {
    marking = 1;
    grey = 8;
#if !defined(EMPTY_AT_TERMINATION) && !defined(BITMAP) && !defined(MAGAZINES_NOT_MARKED)
    mark = IN_MAGAZINES | remote;
#endif
    skip
  }
}

/* A page is protected while the program runs; each is a call of its own. A dead span has no page to protect. */
inline protect_all() {
  do
  :: d_step { next_page < 3 -> wp = wp | ((1 << next_page) & ~dead); next_page++ }
  :: next_page == 3 -> next_page = 0; break
  od
}

/* ~seen: the removed protection believes these pages to be clean. */
#define DIRTY (7 & ~wp & ~seen)

inline preclean() {
#if defined(PROTECT_AFTER_RESCAN) || defined(FETCH_THEN_PROTECT_ALL)
  d_step { fetched = DIRTY; }
#if defined(FETCH_THEN_PROTECT_ALL)
  d_step { wp = 7 & ~dead; }
#endif
  d_step { grey = grey | ((mark | 8) & SLOTS(fetched)); }
#if defined(PROTECT_AFTER_RESCAN)
  do
  :: grey -> drain_step()
  :: !grey -> break
  od;
  wp = wp | fetched;
#endif
  fetched = 0
#else
  d_step {
    set = DIRTY & ~dead;
#ifdef FETCH_WITHOUT_PROTECT
    seen = seen | set;
#else
    wp = wp | set;
#endif
#ifdef RESCAN_UNMARKED
    grey = grey | (((alloc & ~dead) | 8) & SLOTS(set));
#else
    grey = grey | ((mark | 8) & SLOTS(set));
#endif
    set = 0
  }
#endif
}

inline drain_step() {
  atomic {
    if
    :: grey & 1 -> read_object(1)
    :: grey & 2 -> read_object(2)
    :: grey & 4 -> read_object(3)
    :: grey & 8 -> read_object(4)
    fi
  };
  d_step { shade(); found = 0 }
}

inline finish_slot(slot) {
  if
  :: grey & B(slot) -> read_object(slot); shade(); found = 0
  :: else
  fi
}

/* The world is stopped: one step. */
inline stop_and_finish() {
  d_step {
#ifndef REGISTERS_NOT_SCANNED
    set = ROOTS & alloc & ~mark;
    mark = mark | set;
    grey = grey | set;
#endif
#ifndef LAST_DIRTY_NOT_SCANNED
#ifdef GLOBALS_NOT_TRACKED
    grey = grey | (mark & SLOTS(DIRTY));
#else
    grey = grey | ((mark | 8) & SLOTS(DIRTY));
#endif
#endif
    do
    :: grey -> finish_slot(1); finish_slot(2); finish_slot(3); finish_slot(4)
    :: else -> break
    od;
    compute_reachable(set);
    lost = set & ~mark;
    assert(lost == 0);
#ifdef EMPTY_AT_TERMINATION
    alloc = alloc & ~(IN_MAGAZINES | remote);
    mark = mark & ~(IN_MAGAZINES | remote);
    magazines = 0;
    remote = 0;
#endif
    set = 0;
#ifdef FETCH_WITHOUT_PROTECT
    seen = 0;
#endif
#ifdef NEW_PAGES_CLEAN
    untracked = 0;
#endif
    marking = 0;
    wp = 0;
    swept = 0
  }
}

#ifdef SWEEP_KEEPS_REMOTE
#define SWEPT_ALLOC (alloc & mark)
#define SWEPT_REMOTE remote
#elif defined(BITMAP)
#define SWEPT_ALLOC (alloc & mark & ~remote)
#define SWEPT_REMOTE 0
#else
#define SWEPT_ALLOC (alloc & mark)
#define SWEPT_REMOTE remote
#endif

inline sweep_span(page, slots) {
  d_step {
    !(swept & page) ->
    alloc = (alloc & ~slots) | (SWEPT_ALLOC & slots);
    remote = (remote & ~slots) | (SWEPT_REMOTE & slots);
    inuse = inuse & (alloc | ~slots);
    mark = mark & ~slots;
    swept = swept | page;
#ifndef STALE_WORDS
    fields = fields & ~(WORDS(slots & ~inuse));
#endif
    compute_reachable(set);
    reclaimed = set & ~alloc;
    assert(reclaimed == 0);
    set = 0
  }
}

active proctype collector() {
  do
  ::
#if defined(BLACK_BEFORE_PROTECT)
    flip();
    protect_all();
#elif defined(MARK_BEFORE_PROTECT)
    flip();
    do
    :: grey -> drain_step()
    :: !grey -> break
    od;
    protect_all();
#else
    protect_all();
    flip();
#endif
    do
    :: grey -> drain_step()
    :: DIRTY -> preclean()
    :: stop_and_finish(); break
    od;
    do
    :: sweep_span(1, 1)
    :: sweep_span(2, 6)
    :: swept == 3 -> break
    od
  od
}
