package exchange

import (
	"sync"
	"time"
)

// After so many failures one upon another a source is left in peace for a while.
const (
	patience = 5
	rest     = 30 * time.Second
)

// breaker keeps us from asking a source that is down, by the clock that it is
// given: after the rest one question goes first, and all others when it succeeds.
type breaker struct {
	mu       sync.Mutex
	failures int       // one upon another
	until    time.Time // no question before
	probing  bool      // the one question is under way
}

// enter says whether a question may be asked now. Whoever enters must leave.
func (b *breaker) enter(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < patience {
		return true
	}
	if b.probing || now.Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

// leave tells how it went.
func (b *breaker) leave(now time.Time, well bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if well {
		b.failures = 0
		return
	}
	if b.failures++; b.failures >= patience {
		b.until = now.Add(rest)
	}
}
