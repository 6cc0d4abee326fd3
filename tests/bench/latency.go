// What the Go programs share: latency.h and bench.h in Go.
package main

import (
	"math/bits"
	"time"
)

const (
	sub     = 32
	buckets = 40 * sub
)

var clockStart = time.Now()

func nowNs() uint64 {
	return uint64(time.Since(clockStart))
}

func bucketOf(ns uint64) int {
	if ns < sub {
		return int(ns)
	}
	exponent := 63 - bits.LeadingZeros64(ns) - 5
	b := (exponent+1)*sub + int(ns>>exponent)%sub
	if b >= buckets {
		return buckets - 1
	}
	return b
}

func valueOf(bucket int) uint64 {
	exponent := bucket / sub
	if exponent == 0 {
		return uint64(bucket)
	}
	return uint64(sub+bucket%sub) << (exponent - 1)
}

// addCounts returns how many it has added.
func addCounts(sum, more *[buckets]uint64) uint64 {
	total := uint64(0)
	for b, n := range more {
		sum[b] += n
		total += n
	}
	return total
}

func percentile(count *[buckets]uint64, total uint64, share float64) uint64 {
	seen, wanted := uint64(0), uint64(float64(total)*share)
	for b, n := range count {
		seen += n
		if seen > wanted {
			return valueOf(b)
		}
	}
	return valueOf(buckets - 1)
}

func random(state *uint64) uint64 {
	x := *state
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*state = x
	return x * 0x2545F4914F6CDD1D
}

func mix(sum, value uint64) uint64 {
	return (sum ^ value) * 0x9E3779B97F4A7C15
}
