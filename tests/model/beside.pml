/*
 * Marking beside the program as it is built (gc/beside.c, gc/mark.c, alloc/mcentral.c): free slots are known by their
 * alloc bit alone, free memory keeps its words, and a slot that is handed out need not be written to. page.pml is about
 * magazines, remote lists and what the sweep gives back; this one about words that outlive what they pointed to. Run by
 * run.py with the switches of variants.txt; spin -a beside.pml alone checks the right protocol.
 *
 * Modelled: three slots in two spans that are also the pages: slots 2 and 3, and slot 1, whose span dies and is born
 * again. SMALL leaves slot 3 out, FOUR adds slot 4 to slot 1's span. A slot holds one word. The global is a root, on no
 * page (NO_GLOBAL: not used). MUTATORS threads with two registers each load and store plainly, allocate and free,
 * without end. The collector runs cycle after cycle:
 *
 *   protect, page by page -> stop: mark from the roots -> mark; at any moment fetch a dirty page and protect it again,
 *     then scan the marked slots on it -> stop: roots, dirty pages, what is grey -> sweep, span by span -> protect ...
 *
 *   model                     code
 *   alloc                     tri_bitgroup.alloc without .rfree: that another thread freed a slot only delays its reuse
 *   mark                      tri_bitgroup.mark; free() leaves it as it is, the sweep clears it
 *   bit of wp clear           the page is dirty: a store to it takes the protection away (userfaultfd, async mode)
 *   fetch, fetched            PAGEMAP_SCAN for one page, and the list of dirty ranges (list_dirty, gc/beside.c)
 *   rescan                    scan_marked_on (gc/mark.c); the slots' words are read later, one at a time
 *   drain step                scan of one grey slot, then mark_slots: between the two the word may go, its target be
 *                             freed, handed out or born
 *   flip, stop_and_finish     rounds ROOTS and TO_THE_END; no mark is set on a free slot in the latter [MARK-2]
 *   dead                      TRI_SPAN_DEAD: words that point there are passed over
 *   birth                     new_span: slots marked, state stored, [markers may see it], pages made dirty, handed out
 *   swept                     tri_mspan.sweepgen
 *
 * Each mutator step is one instruction of the program or one call of the runtime, but for birth, which is two steps; no
 * stop falls inside a call (stop.pml). Registers of a thread are interchangeable, so they are kept sorted.
 *
 * The program may do more than C allows: it frees what others still point to, copies such pointers, and uses them once
 * the slot was handed out again. It neither reads nor writes free slots.
 *
 * Checked: [lost] when marking ends, every allocated slot is marked that is reached from registers and the global
 * through words of allocated slots, whoever wrote those, and when; [inside] no marker reads a span that is dead.
 * Not modelled: as in page.pml; and growth of the heap (new pages count as dirty), large objects (those born while
 * marking are scanned in the last stop), what the kernel cannot tell (all pages are dirty then).
 */

#ifndef MUTATORS
#define MUTATORS 2
#endif

#if defined(SMALL)
#define ALL 3
#elif defined(FOUR)
#define ALL 15
#else
#define ALL 7
#endif
/* Bits of a word, and of four. */
#ifdef FOUR
#define W 3
#define W4 12
#else
#define W 2
#define W4 8
#endif
#define MORTAL 1 /* the page of the span that dies */
/* A slot's bit; 0 for no slot. */
#define B(o) ((1 << (o)) >> 1)
#define PAGE_BIT(o) (2 - ((o) == 1 || (o) == 4))
/* Slots of the pages in a set of pages. */
#define SLOTS(pages) ((((pages) & 1) * 9 | ((pages) & 2) * 3) & ALL)
#define DEAD_SLOTS (dead * SLOTS(MORTAL))
#define DIRTY (3 & ~wp)

#define GET(x, i) (((x) >> (W * (i))) & ((1 << W) - 1))
#define SET(x, i, v) x = ((x) & ~(((1 << W) - 1) << (W * (i)))) | ((v) << (W * (i)))
#define WORD(o) GET(words, (o) - 1)
#define REG(i) GET(regs, 2 * _pid + (i))
#define SET_REG(i, v) SET(regs, 2 * _pid + (i), v)
#define USABLE(i) (alloc & B(REG(i)))

#define REGISTERS (B(GET(regs, 0)) | B(GET(regs, 1)) | B(GET(regs, 2)) | B(GET(regs, 3)))
#define BIT(s, o) (((s) >> ((o) - 1)) & 1)
#define TARGET(s, o) (BIT(s, o) * B(WORD(o)))
#ifdef FOUR
#define TARGETS(s) (TARGET(s, 1) | TARGET(s, 2) | TARGET(s, 3) | TARGET(s, 4))
#else
#define TARGETS(s) (TARGET(s, 1) | TARGET(s, 2) | TARGET(s, 3))
#endif

/* The program. */
unsigned regs : W4;
unsigned words : W4;
unsigned global : W;
/* The allocator. */
unsigned alloc : 4;
unsigned swept : 2 = 3;
bit dead;
bit birth; /* the mortal span is being born: no stop until that is done, and nothing of it is handed out */
/* The collector. */
bit marking;
unsigned mark : 4;
unsigned grey : 4;
unsigned wp : 2;
unsigned fetched : 2; /* pages, protected again and not scanned yet */
unsigned found : W;   /* read from the slot under scan */
unsigned next_page : 2;
/* Only the assertions read these; zero whenever all is well, and between steps. */
unsigned lost : 4;
bit inside;
/* Scratch, zero between steps. */
unsigned a : 2;
unsigned o : 3;
unsigned set : 4;

inline compute_reachable(s) {
  s = alloc & (REGISTERS | B(global));
  s = s | (alloc & TARGETS(s));
  s = s | (alloc & TARGETS(s));
  s = s | (alloc & TARGETS(s))
}

inline store(slot, value) {
  SET(words, slot - 1, value);
  wp = wp & ~PAGE_BIT(slot)
}

inline pick(s) {
  if
  :: (s) & 1 -> o = 1
  :: (s) & 2 -> o = 2
  :: (s) & 4 -> o = 3
  :: (s) & 8 -> o = 4
  fi
}

/* ---- spans that die and are born ---- */

#define MAY_HAND_OUT (SLOTS(swept & ~(birth * MORTAL)) & ~alloc & ~DEAD_SLOTS)

#ifdef SPAN_DIES_WHILE_MARKING
#define MAY_DIE (!dead && !birth && (swept & MORTAL) && !(alloc & SLOTS(MORTAL)))
#else
#define MAY_DIE (!dead && !birth && (swept & MORTAL) && !(alloc & SLOTS(MORTAL)) && !marking) /* [FREE-2] */
#endif

#ifdef BORN_WHITE
#define MARK_BORN skip
#else
#define MARK_BORN mark = mark | (marking * SLOTS(MORTAL))
#endif
#ifdef BORN_NOT_DIRTY
#define DIRTY_BORN skip
#else
#define DIRTY_BORN wp = wp & ~(marking * MORTAL)
#endif

#ifdef BORN_DIRTY_FIRST
#define BIRTH_BEGINS DIRTY_BORN
#define BIRTH_ENDS MARK_BORN; dead = 0
#elif defined(BORN_SEEN_FIRST)
#define BIRTH_BEGINS dead = 0
#define BIRTH_ENDS MARK_BORN; DIRTY_BORN
#else
#define BIRTH_BEGINS MARK_BORN; dead = 0
#define BIRTH_ENDS DIRTY_BORN
#endif

/* ---- mutators: processes 0 and 1 ---- */

active [MUTATORS] proctype mutator() {
  do
  :: atomic {
      if
      :: a = 0
      :: a = 1
      fi;
      if
      :: SET_REG(a, 0)
#ifndef NO_GLOBAL
      :: SET_REG(a, global)
      :: global = REG(a)
      :: global = 0
#endif
      :: USABLE(a) -> SET_REG(a, WORD(REG(a)))
      :: USABLE(a) -> SET_REG(1 - a, WORD(REG(a)))
      :: USABLE(a) -> store(REG(a), REG(1 - a))
      :: USABLE(a) -> store(REG(a), REG(a))
      :: USABLE(a) -> store(REG(a), 0)
      :: USABLE(a) -> alloc = alloc & ~B(REG(a)); SET_REG(a, 0) /* free */
      :: !REG(a) && MAY_HAND_OUT -> pick(MAY_HAND_OUT); alloc = alloc | B(o); SET_REG(a, o)
      :: !a && MAY_DIE -> dead = 1
      :: !a && dead && !birth -> birth = 1; BIRTH_BEGINS
      :: !a && birth -> BIRTH_ENDS; birth = 0
      fi;
      if
      :: REG(0) > REG(1) -> o = REG(0); SET_REG(0, REG(1)); SET_REG(1, o)
      :: else
      fi;
      a = 0; o = 0
    }
  od
}

/* ---- the collector ---- */

/* What a word that was found may mark before the last stop [MARK-5]. */
#ifdef FREE_NOT_MARKED
#define MARKABLE alloc
#else
#define MARKABLE (ALL & ~DEAD_SLOTS)
#endif
#ifdef FREE_NOT_SCANNED
#define SCANNABLE alloc
#else
#define SCANNABLE ALL
#endif

inline shade(markable, scannable) {
  set = B(found) & markable & ~mark;
  mark = mark | set;
  grey = grey | (set & scannable);
  set = 0
}

inline read_slot(slot) {
  inside = (dead && (B(slot) & SLOTS(MORTAL)));
  assert(!inside);
  found = WORD(slot);
  grey = grey & ~B(slot)
}

inline flip() {
  d_step {
    !birth ->
    marking = 1;
    mark = (REGISTERS | B(global)) & MARKABLE;
    grey = mark & SCANNABLE
  }
}

/* Also of dead spans: their pages are the heap's. */
inline protect_all() {
  do
  :: d_step { next_page < 2 -> wp = wp | (1 << next_page); next_page++ }
  :: next_page == 2 -> next_page = 0; break
  od
}

inline drain_step() {
  atomic {
    if
    :: grey & 1 -> read_slot(1)
    :: grey & 2 -> read_slot(2)
    :: grey & 4 -> read_slot(3)
    :: grey & 8 -> read_slot(4)
    fi
  };
  d_step { shade(MARKABLE, SCANNABLE); found = 0 }
}

#ifdef FETCH_THEN_PROTECT
inline fetch(page) {
  d_step { (DIRTY & page) && !fetched -> fetched = DIRTY }
  d_step { wp = 3 }
}
#else
inline fetch(page) {
  d_step { (DIRTY & page) -> fetched = fetched | page; wp = wp | page }
}
#endif

#if defined(CLEANED_NOT_SCANNED)
#define RESCANNED 0
#elif defined(CLEANED_FREE_NOT_SCANNED)
#define RESCANNED (mark & alloc)
#else
#define RESCANNED mark
#endif

inline rescan(page) {
  d_step {
    (fetched & page) ->
    fetched = fetched & ~page;
    grey = grey | (RESCANNED & ~DEAD_SLOTS & SLOTS(page))
  }
}

inline finish_slot(slot) {
  if
  :: grey & B(slot) -> read_slot(slot); shade(alloc, ALL); found = 0
  :: else
  fi
}

#if defined(LAST_ROOTS_NOT_SCANNED)
#define LAST_ROOTS 0
#elif defined(LAST_REGISTERS_NOT_SCANNED)
#define LAST_ROOTS B(global)
#elif defined(LAST_GLOBAL_NOT_SCANNED)
#define LAST_ROOTS REGISTERS
#else
#define LAST_ROOTS (REGISTERS | B(global))
#endif
#if defined(LAST_DIRTY_NOT_SCANNED)
#define LAST_RESCANNED 0
#elif defined(LAST_DIRTY_FREE_NOT_SCANNED)
#define LAST_RESCANNED (mark & alloc)
#else
#define LAST_RESCANNED mark
#endif

/* The world is stopped: one step. */
inline stop_and_finish() {
  d_step {
    !birth && !fetched ->
    grey = grey | (LAST_RESCANNED & ~DEAD_SLOTS & SLOTS(DIRTY));
    set = LAST_ROOTS & alloc & ~mark;
    mark = mark | set;
    grey = grey | set;
    do
    :: grey -> finish_slot(1); finish_slot(2); finish_slot(3); finish_slot(4)
    :: else -> break
    od;
    compute_reachable(set);
    lost = set & ~mark;
    assert(lost == 0);
    set = 0;
    marking = 0;
    wp = 0;
    swept = dead * MORTAL
  }
}

inline sweep_span(page) {
  d_step {
    !(swept & page) ->
    alloc = alloc & (mark | ~SLOTS(page));
    mark = mark & ~SLOTS(page);
    swept = swept | page
  }
}

active proctype collector() {
  do
  ::
#if defined(PROTECT_AFTER_MARKING)
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
    :: fetch(1)
    :: fetch(2)
    :: rescan(1)
    :: rescan(2)
    :: stop_and_finish(); break
    od;
    do
    :: sweep_span(1)
    :: sweep_span(2)
    :: swept == 3 -> break
    od
  od
}
