package httpapi

import (
	"math"
	"strings"
	"sync"
	"time"
)

// Limiter bounds what one caller may ask. Keys are principals or addresses; an
// implementation must not log them.
type Limiter interface {
	// Allow takes one request of key, or says how long to wait and why.
	Allow(key string) (wait time.Duration, err error)
	// Missed notes that key asked for something that is not there.
	Missed(key string)
}

// What keys begin with, beside the kinds of principal.
const (
	fromAddress = "address#" // a caller who is not signed in
	nowhere     = "nowhere#" // an address asking for paths that no route has
)

// Limits configure a MemoryLimiter. Zero values take the defaults beside them.
type Limits struct {
	PerSecond float64       // requests a second: 10
	Burst     int           // requests at once: 40
	Sharing   int           // people behind one address, which may ask that much more: 25
	Misses    int           // answers "not found" in Window before refusing: 20
	Window    time.Duration // 1 min
	Callers   int           // remembered at once: 20,000
}

// MemoryLimiter is a Limiter within one process: a token bucket and a count of
// misses for each caller, in bounded memory. With many processes each has its
// own, so its limits are floors, and the gateway's stand above them.
type MemoryLimiter struct {
	limits Limits
	now    func() time.Time

	mu sync.Mutex
	// Two generations: callers seen lately are in young; when that is full it
	// becomes old, and what was old is forgotten. A flood of new addresses
	// therefore cannot push out a caller who keeps asking.
	young, old map[string]*caller
}

type caller struct {
	tokens float64
	seen   time.Time
	misses []time.Time // the latest, oldest first; at most Limits.Misses
}

// NewMemoryLimiter makes a Limiter.
func NewMemoryLimiter(l Limits, now func() time.Time) *MemoryLimiter {
	if l.PerSecond <= 0 {
		l.PerSecond = 10
	}
	if l.Burst <= 0 {
		l.Burst = 40
	}
	if l.Sharing <= 0 {
		l.Sharing = 25
	}
	if l.Misses <= 0 {
		l.Misses = 20
	}
	if l.Window <= 0 {
		l.Window = time.Minute
	}
	if l.Callers <= 0 {
		l.Callers = 20_000
	}
	return &MemoryLimiter{limits: l, now: now, young: map[string]*caller{}, old: map[string]*caller{}}
}

// Allow is ErrSlowDown when the bucket of key is empty, and ErrProbing when key
// has asked for too many things that are not there (X002, X099).
func (m *MemoryLimiter) Allow(key string) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, now := m.caller(key), m.now()
	if len(c.misses) >= m.limits.Misses {
		if wait := c.misses[0].Add(m.limits.Window).Sub(now); wait > 0 {
			return wait, ErrProbing
		}
	}
	if c.tokens < 1 {
		perSecond, _ := m.rate(key)
		return time.Duration((1 - c.tokens) / perSecond * float64(time.Second)), ErrSlowDown
	}
	c.tokens--
	return 0, nil
}

// Missed notes one answer "not found".
func (m *MemoryLimiter) Missed(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.caller(key)
	if len(c.misses) >= m.limits.Misses {
		c.misses = append(c.misses[:0], c.misses[1:]...)
	}
	c.misses = append(c.misses, m.now())
}

// rate is how many requests a second key may make, and how many at once. A whole
// shelter, or a mobile network, may come from one address to sign in.
func (m *MemoryLimiter) rate(key string) (perSecond, burst float64) {
	share := 1.0
	if strings.HasPrefix(key, fromAddress) {
		share = float64(m.limits.Sharing)
	}
	return m.limits.PerSecond * share, float64(m.limits.Burst) * share
}

// caller is the refilled bucket of key. It needs m.mu.
func (m *MemoryLimiter) caller(key string) *caller {
	now := m.now()
	perSecond, burst := m.rate(key)
	c, ok := m.young[key]
	if !ok {
		if c, ok = m.old[key]; !ok {
			c = &caller{tokens: burst, seen: now}
		}
		if len(m.young) >= m.limits.Callers {
			m.young, m.old = map[string]*caller{}, m.young
		}
		m.young[key] = c
	}
	if passed := now.Sub(c.seen); passed > 0 {
		c.tokens = math.Min(burst, c.tokens+passed.Seconds()*perSecond)
		c.seen = now
	}
	return c
}
