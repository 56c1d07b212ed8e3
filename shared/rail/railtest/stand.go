package railtest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Stand is a provider's stand-in behind real HTTP, of which a test can lose, break
// or forge single answers. It is the part of a Provider that all share.
type Stand struct {
	URL string

	mu       sync.Mutex
	next     string
	done     bool
	provider http.Handler
	forge    func(http.Header)
}

// NewStand serves provider until the test ends; forge spoils the signature in the
// headers of an answer.
func NewStand(t interface{ Cleanup(func()) }, provider http.Handler, forge func(http.Header)) *Stand {
	s := &Stand{provider: provider, forge: forge}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Stand) set(what string, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.done = what, done
}

// Cut makes the next call end without an answer.
func (s *Stand) Cut(done bool) { s.set("cut", done) }

// Break makes the next call answer 500.
func (s *Stand) Break(done bool) { s.set("break", done) }

// Forge makes the next answer carry a wrong signature.
func (s *Stand) Forge() { s.set("forge", true) }

// ServeHTTP lets the provider act, or not, and spoils what comes of it.
func (s *Stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	what, done := s.next, s.done
	s.next = ""
	s.mu.Unlock()
	answer := httptest.NewRecorder()
	if what == "" || done {
		s.provider.ServeHTTP(answer, r)
	}
	switch what {
	case "cut":
		panic(http.ErrAbortHandler)
	case "break":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case "forge":
		s.forge(answer.Header())
	}
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(bytes.Clone(answer.Body.Bytes()))
}
