// The program of pacing.c in Go: the same live heap, the same requests in the same order from the same numbers, looked
// at and reported alike. Collections are in what GODEBUG=gctrace=1 prints; `memory_kib` is runtime/metrics' total
// without what was given back.
//
//	pacing steady|step|burst MIB TOTAL_MIB [RATE]
//	pacing limit|drop MIB SECONDS
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	threads       = 2
	anchorCount   = 64
	garbage       = 8
	looks         = 8
	octaves       = 8
	leastWords    = 4
	keptIn        = 8
	passes        = 8
	bufferWords   = 8192
	bufferIn      = 16
	dropRest      = 16
	bursts        = 4
	quietRequests = 1000
	quietRate     = 2000
	nodeBytes     = 64
	tickNs        = 10000000
	maxTicks      = 1 << 17
	slackNs       = 2000000
)

type node struct {
	tag   uint64
	other *node
	links []*node
	data  []uint64
}

type worker struct {
	slot        []*node
	buffer      []uint64
	nslots      int
	first       int // slots from here on are replaced
	steady, all int // slots: without the step, with it
	bytes       uint64
	share       uint64
	interval    uint64
	random      uint64
	sum         uint64
	requests    uint64
	max         uint64
	count       [buckets]uint64
	_           [128]byte
}

type mark struct {
	name string
	ns   uint64
}

var (
	workers            [threads]worker
	anchors            [anchorCount]*node
	stopping, finished uint32
	marks              []mark
	rssKib, memoryKib  []uint32
	readsMemory        bool
	clockNs            uint64
)

func addMark(name string) {
	marks = append(marks, mark{name, nowNs()})
}

func residentKib(statm *os.File, text []byte) uint32 {
	n, _ := statm.ReadAt(text, 0)
	field, pages := 0, 0
	for _, c := range text[:n] {
		if c == ' ' {
			field++
		} else if field == 1 {
			pages = pages*10 + int(c-'0')
		}
	}
	return uint32(pages * os.Getpagesize() >> 10)
}

func limitCountsKib(samples []metrics.Sample) uint32 {
	if !readsMemory {
		return 0
	}
	metrics.Read(samples)
	return uint32((samples[0].Value.Uint64() - samples[1].Value.Uint64()) >> 10)
}

func keepTime(done *sync.WaitGroup) {
	statm, err := os.Open("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	text := make([]byte, 128)
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for atomic.LoadUint32(&finished) == 0 && len(rssKib) < maxTicks {
		sleepUntil(clockNs + uint64(len(rssKib)+1)*tickNs)
		rss, memory := residentKib(statm, text), limitCountsKib(samples)
		passed := int((nowNs() - clockNs) / tickNs)
		for {
			rssKib = append(rssKib, rss)
			memoryKib = append(memoryKib, memory)
			if len(rssKib) >= passed || len(rssKib) >= maxTicks {
				break
			}
		}
	}
	done.Done()
}

// Not of the heap, so that it counts for no goal, as in pacing.c.
func samples() []uint32 {
	const prot, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_SHARED | syscall.MAP_ANON
	memory, err := syscall.Mmap(-1, 0, maxTicks*4, prot, flags)
	if err != nil {
		panic(err)
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(&memory[0])), maxTicks)[:0]
}

func sleepUntil(ns uint64) {
	if now := nowNs(); ns > now {
		time.Sleep(time.Duration(ns - now))
	}
}

func wordsOf(shape uint64) int {
	words := leastWords << ((shape >> 32) % octaves)
	return words + int((shape>>40)%2)*(words/2)
}

func shapeOf(slot int) uint64 {
	state := uint64(slot+1) * 0x9E3779B97F4A7C15
	return random(&state)
}

//go:noinline
func makeLinks(n int, first uint64) []*node {
	links := make([]*node, n)
	for i := range links {
		links[i] = anchors[(first+uint64(i))%anchorCount]
	}
	return links
}

//go:noinline
func makeData(n int, tag uint64) []uint64 {
	data := make([]uint64, n)
	for i := range data {
		data[i] = tag
	}
	return data
}

//go:noinline
func newNode(w *worker, tag, shape uint64, other *node) *node {
	n := new(node)
	words := wordsOf(shape)
	n.tag = tag
	n.other = other
	if shape&1 != 0 {
		n.links = makeLinks(words, tag)
	} else {
		n.data = makeData(words, tag)
	}
	w.bytes += nodeBytes + uint64(words)*8
	return n
}

func look(n *node) uint64 {
	sound := false
	if n.links != nil {
		last := len(n.links) - 1
		sound = n.links[last] == anchors[(n.tag+uint64(last))%anchorCount]
	} else {
		sound = n.data[len(n.data)-1] == n.tag
	}
	if !sound {
		panic("a node was overwritten")
	}
	return n.tag
}

func replace(w *worker, r uint64) {
	slot := w.first + int((r>>20)%uint64(w.nslots-w.first))
	w.sum += look(w.slot[slot])
	w.slot[slot] = newNode(w, r, shapeOf(slot), nil)
}

func digest(n *node) uint64 {
	sum := look(n)
	for pass := 0; pass < passes; pass++ {
		for _, link := range n.links {
			sum = mix(sum, link.tag)
		}
		for _, word := range n.data {
			sum = mix(sum, word)
		}
	}
	return sum
}

func serve(w *worker) {
	var chain *node
	for i := 0; i < garbage; i++ {
		r := random(&w.random)
		chain = newNode(w, r, r, chain)
	}
	replace(w, random(&w.random))
	for i := 0; i < looks; i++ {
		w.sum += look(w.slot[random(&w.random)%uint64(w.nslots)])
	}
	if w.requests%bufferIn == 0 {
		w.requests++
		w.buffer = makeData(bufferWords, w.requests)
		w.bytes += bufferWords * 8
	} else {
		w.requests++
	}
	for ; chain != nil; chain = chain.other {
		w.sum += digest(chain)
	}
}

func record(w *worker, ns uint64) {
	w.count[bucketOf(ns)]++
	if ns > w.max {
		w.max = ns
	}
}

// Phases of a load, by all threads at once.

func fillSlots(w *worker) {
	for ; w.nslots < w.all; w.nslots++ {
		w.slot[w.nslots] = newNode(w, uint64(w.nslots), shapeOf(w.nslots), nil)
	}
}

func emptySlots(w *worker) {
	for ; w.nslots > w.steady; w.nslots-- {
		w.slot[w.nslots-1] = nil
	}
}

func churn(w *worker) {
	for due := nowNs(); w.bytes < w.share; due += w.interval {
		before := nowNs()
		if w.interval != 0 && due > before+slackNs {
			sleepUntil(due)
			before = nowNs()
		}
		serve(w)
		record(w, nowNs()-before)
	}
}

func beQuiet(w *worker) {
	due := nowNs()
	for i := 0; i < quietRequests; i++ {
		due += 1000000000 / quietRate
		sleepUntil(due)
		before := nowNs()
		serve(w)
		record(w, nowNs()-before)
	}
}

func press(w *worker) {
	before := nowNs()
	for atomic.LoadUint32(&stopping) == 0 {
		r := random(&w.random)
		if r%keptIn == 0 {
			replace(w, r)
		} else {
			w.sum = mix(w.sum, look(newNode(w, r, r, nil)))
		}
		w.requests++
		after := nowNs()
		record(w, after-before)
		before = after
	}
}

func inThreads(phase func(*worker)) {
	var done sync.WaitGroup
	done.Add(threads)
	for i := range workers {
		go func(w *worker) {
			phase(w)
			done.Done()
		}(&workers[i])
	}
	done.Wait()
}

func churnFor(totalMib float64) {
	for i := range workers {
		workers[i].share = workers[i].bytes + uint64(totalMib*(1<<20))/threads
	}
	inThreads(churn)
}

// The live heap.

func slotsFor(mib float64) int {
	slots, wanted := 0, uint64(mib*(1<<20))/threads
	for bytes := uint64(0); bytes < wanted; slots++ {
		bytes += nodeBytes + uint64(wordsOf(shapeOf(slots)))*8
	}
	return slots
}

func build(least, most, kept float64) {
	for i := range anchors {
		anchors[i] = &node{tag: uint64(i)}
	}
	for i := range workers {
		w := &workers[i]
		w.random = uint64(i) + 1
		w.all = slotsFor(least)
		w.steady = w.all
		if kept > 0 {
			w.first = slotsFor(kept)
		}
		w.slot = make([]*node, slotsFor(most))
	}
	inThreads(fillSlots)
}

// Loads.

func setRate(rate float64) {
	for i := range workers {
		if rate > 0 {
			workers[i].interval = uint64(1e9 / rate)
		}
	}
}

func setSlots(mib float64, phase func(*worker)) {
	for i := range workers {
		workers[i].all = slotsFor(mib)
		workers[i].steady = workers[i].all
	}
	inThreads(phase)
}

func steady(mib, total float64) {
	churnFor(total)
}

func step(mib, total float64) {
	churnFor(total / 3)
	addMark("grow")
	setSlots(mib*2, fillSlots)
	churnFor(total / 3)
	addMark("shrink")
	setSlots(mib, emptySlots)
	churnFor(total / 3)
}

func burst(mib, total float64) {
	for i := 0; i < bursts; i++ {
		addMark("quiet")
		inThreads(beQuiet)
		addMark("burst")
		churnFor(total / bursts)
	}
}

func limit(mib, seconds float64) {
	go func() {
		time.Sleep(time.Duration(seconds * 1e9))
		atomic.StoreUint32(&stopping, 1)
	}()
	inThreads(press)
}

func drop(mib, seconds float64) {
	churnFor(mib / 4)
	for i := range workers {
		workers[i].steady = workers[i].first
		workers[i].first = 0
	}
	inThreads(emptySlots)
	addMark("drop")
	runtime.GC()
	addMark("collected")
	time.Sleep(time.Duration(seconds * 1e9))
}

type load struct {
	run              func(mib, amount float64)
	live, most, kept float64
}

var loads = map[string]load{
	"steady": {steady, 1, 1, 0},
	"step":   {step, 1, 2, 0},
	"burst":  {burst, 1, 1, 0},
	"limit":  {limit, 1, 1, 0},
	"drop":   {drop, 1 + 1.0/dropRest, 1 + 1.0/dropRest, 1.0 / dropRest},
}

func printLatencies() {
	var count [buckets]uint64
	var total, max uint64
	for i := range workers {
		total += addCounts(&count, &workers[i].count)
		if workers[i].max > max {
			max = workers[i].max
		}
	}
	for _, share := range []float64{0.5, 0.99, 0.999, 0.9999} {
		fmt.Printf(`, "p%.5g_us": %.2f`, share*100, float64(percentile(&count, total, share))/1e3)
	}
	fmt.Printf(`, "max_us": %.1f`, float64(max)/1e3)
}

func printMarks() {
	var text []string
	for _, m := range marks {
		text = append(text, fmt.Sprintf(`["%s", %.6f]`, m.name, float64(m.ns)/1e9))
	}
	fmt.Printf(`, "marks": [%s]`, strings.Join(text, ", "))
}

func printSamples(name string, kib []uint32) {
	fmt.Printf(`, "%s": %s`, name, strings.ReplaceAll(fmt.Sprint(kib), " ", ","))
}

func report(load string, mib float64, startedNs uint64) {
	var sum, requests, bytes uint64
	ended := nowNs()
	for i := range workers {
		sum = mix(sum, workers[i].sum)
		requests += workers[i].requests
		bytes += workers[i].bytes
	}
	fmt.Printf(`{"load": "%s", "mib": %g, "main_s": 0.0, "clock_s": %.6f, "started_s": %.6f, "ended_s": %.6f`,
		load, mib, float64(clockNs)/1e9, float64(startedNs)/1e9, float64(ended)/1e9)
	fmt.Printf(`, "requests": %d, "allocated_mib": %.1f, "checksum": "%016x", "collections": 0, "collect_s": 0.0`,
		requests, float64(bytes)/(1<<20), sum)
	printLatencies()
	printMarks()
	fmt.Printf(`, "tick_ms": %g`, tickNs/1e6)
	printSamples("rss_kib", rssKib)
	if !readsMemory {
		memoryKib = nil
	}
	printSamples("memory_kib", memoryKib)
	fmt.Println("}")
}

func number(index int) float64 {
	if len(os.Args) <= index {
		return 0
	}
	value, _ := strconv.ParseFloat(os.Args[index], 64)
	return value
}

func main() {
	var l load
	if len(os.Args) > 3 {
		l = loads[os.Args[1]]
	}
	mib, amount := number(2), number(3)
	if l.run == nil || mib <= 0 || amount <= 0 {
		fmt.Fprintf(os.Stderr, "usage: %s steady|step|burst MIB TOTAL_MIB [RATE], or limit|drop MIB SECONDS\n", os.Args[0])
		os.Exit(2)
	}
	rssKib, memoryKib = samples(), samples()
	readsMemory = os.Args[1] == "limit"
	clockNs = nowNs()
	var clock sync.WaitGroup
	clock.Add(1)
	go keepTime(&clock)
	build(mib*l.live, mib*l.most, mib*l.kept)
	setRate(number(4))
	startedNs := nowNs()
	l.run(mib, amount)
	atomic.StoreUint32(&finished, 1)
	clock.Wait()
	report(os.Args[1], mib, startedNs)
}
