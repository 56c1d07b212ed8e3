// Package local is the wiring of one machine: every function's own handler in
// one process, over the embedded store or a DynamoDB engine, with the stand-in
// world in place of registers, bank, WeChat and SMS. It decides nothing; what
// is wired to what comes from template.yaml, so that a laptop and a deployed
// stack cannot drift apart.
package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/functions/relay"
	"github.com/doudi-aid/doudi/functions/sweep"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Options are what a local system can be told.
type Options struct {
	Listen      string // address of the API; port 0 picks one
	WorldListen string // address of the stand-in world; "" finds one and remembers it in Data
	Data        string // directory that keeps everything; "" keeps nothing
	Store       string // Embedded or DynamoDB
	Endpoint    string // of the DynamoDB engine
	// Observe is told what each request to the engine cost; nil for nobody.
	Observe func(dynamo.Usage)
	// WxPay names the regions (6 digits) where people may be paid into WeChat wallets.
	WxPay []string
	// Batch names the regions (6 digits) where payments may leave in files (代发).
	Batch      []string
	Scenario   string // file for the world; "" for a world where all goes well
	SweepEvery time.Duration
	// WithoutRelay loses every message that the relay would send: the sweeper
	// alone must finish everything.
	WithoutRelay bool
	// WithoutLogStream loses every change that the stream would bring to the
	// evidence log: its sweep alone must find every event.
	WithoutLogStream bool
	// WithoutLog puts nothing into the evidence log, so that no figures grow and
	// nothing is disclosed: for tests of what none of that touches.
	WithoutLog bool
	Under      Under // what stands between the system and what it stands on
	// Witnesses are the public keys of witnesses whose cosignatures are taken.
	Witnesses []string
	Limits    httpapi.Limits // of one caller; zero takes the defaults
	// ForgetfulWorld keeps the world in memory even with Data.
	ForgetfulWorld bool
	FundFen        money.Fen     // what each township's relief fund begins with; 0 for the usual
	BankRate       int           // transfers a second that the world's bank takes; 0 for its default
	PayDelay       time.Duration // from the bank's acceptance to the money; 0 for its default
	AsyncDelay     time.Duration // of the registers that answer later; 0 for the world's default
	Log            io.Writer
	Level          slog.Level
	Now            func() time.Time // the clock of system and world; nil for the machine's
}

// discloseEvery is how often a local system looks what the public is to be told: it
// reads every ledger, and nobody waits for it.
const discloseEvery = time.Minute

// The stores.
const (
	Embedded = "embedded"
	DynamoDB = "dynamodb"
)

// System is a running local system.
type System struct {
	URL, WorldURL string
	// Table, Box, Blind, Book and Tree are for tests and tools that look inside.
	Table table.Store
	Box   *seal.Box
	Blind *seal.Blind
	Book  *policy.Book
	Tree  *division.Tree
	// Complaints are the rules of complaints.
	Complaints *complaint.Book

	sources reconciliation.Sources
	// Evidence is the evidence log and what is published of it.
	Evidence *evidence.Publisher

	logDeps  log.Deps
	calendar *calendar.Calendar
	ids      *ident.Source
	sessions *session.Store
	feed     table.Feed
	broker   *queue.Local
	queues   queue.Sender // the broker, as it is sent to
	sweeper  sweep.Deps
	world    *world.World
	log      *slog.Logger
	metrics  telemetry.Metrics
	cancel   context.CancelFunc
	running  sync.WaitGroup
	servers  []func() error // in the order they were opened
	closers  []func() error
	failed   chan error
	now      func() time.Time
}

// Dead lists the messages that no handler could deal with.
func (s *System) Dead() []queue.Dead { return s.broker.Dead() }

// Start starts everything and answers when the API does. Close ends it; a
// process that is killed instead loses nothing that was acknowledged.
func Start(ctx context.Context, o Options) (*System, error) {
	s := &System{ids: ident.Random(), failed: make(chan error, 2), metrics: telemetry.Discard,
		log: telemetry.NewLogger(o.Log, o.Level), Tree: division.Shipped(), calendar: calendar.Shipped()}
	if s.now = o.Now; s.now == nil {
		s.now = time.Now
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) start(ctx context.Context, o Options) error {
	wiring, err := doudi.Load()
	if err != nil {
		return err
	}
	if s.Book, err = policy.Shipped(); err != nil {
		return err
	}
	if s.Complaints, err = complaint.Shipped(); err != nil {
		return err
	}
	api, outside, err := Listen(o)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, ignoreClosed(api.Close), ignoreClosed(outside.Close))
	s.URL, s.WorldURL = "http://"+api.Addr().String(), "http://"+outside.Addr().String()

	if err := s.openStore(ctx, o); err != nil {
		return err
	}
	s.Table = under(o.Under.Table, s.Table)
	seed, err := s.openKeys(o)
	if err != nil {
		return err
	}
	s.sessions = session.NewStore(s.Table, rand.Reader, s.now)
	if err := s.openLog(o); err != nil {
		return err
	}
	keys := Keys(seed)
	if err := s.openWorld(o, keys); err != nil {
		return err
	}
	s.broker = queue.NewLocal(queue.Config{Queues: lanes(wiring), Now: s.now, IDs: s.ids, Logger: s.log, Metrics: s.metrics})
	s.queues = under[queue.Sender](o.Under.Queues, s.broker)
	s.logDeps.Send = s.queues
	handler, err := s.wire(wiring, keys, o)
	if err != nil {
		return err
	}
	if err := Seed(ctx, s.Table, s.Box, s.Blind, s.Tree, s.now, o.FundFen); err != nil {
		return err
	}
	s.serve(outside, s.world.Handler())
	s.run(func() {
		if err := s.world.Run(ctx); err != nil && ctx.Err() == nil {
			s.failed <- err
		}
	})
	s.broker.Start(ctx)
	if !o.WithoutRelay {
		s.run(func() { s.relayLoop(ctx, s.feed, relay.Deps{Send: s.queues, Now: s.now}) })
	}
	if !o.WithoutLogStream && !o.WithoutLog {
		s.run(func() { s.logLoop(ctx, s.feed, s.logDeps) })
	}
	if !o.WithoutLog {
		s.run(func() { s.tickLoop(ctx, s.logDeps, o.SweepEvery) })
		s.run(func() { s.discloseLoop(ctx, s.discloseDeps(), discloseEvery) })
	}
	s.sweeper = sweep.Deps{Table: s.Table, Book: s.Book, Complaints: s.Complaints, Send: s.queues, Now: s.now, Metrics: s.metrics, Log: s.log,
		Watch: s.watch()}
	s.run(func() { s.sweepLoop(ctx, o.SweepEvery) })
	s.run(func() { s.coherenceLoop(ctx) })
	s.serve(api, s.front(handler))
	return nil
}

// watch is what is reconciled here: every shipped region.
func (s *System) watch() sweep.Watch {
	w := sweep.Watch{Sources: s.sources}
	for _, r := range s.Tree.Regions() {
		w.Regions = append(w.Regions, reconciliation.Region{Code: r, Divisions: s.Tree.Below(r, calendar.Today(s.now()))})
	}
	return w
}

// Close ends everything in the order that lets work under way finish or be
// found again.
func (s *System) Close() error {
	var errs []error
	end := func(closers []func() error) {
		for i := len(closers) - 1; i >= 0; i-- {
			errs = append(errs, closers[i]())
		}
	}
	end(s.servers)
	s.cancel()
	if s.broker != nil {
		s.broker.Close()
	}
	s.running.Wait()
	end(s.closers) // what everything above stood on
	s.servers, s.closers = nil, nil
	return errors.Join(errs...)
}

// Failed gets an error when a listener or the world dies by itself.
func (s *System) Failed() <-chan error { return s.failed }

func (s *System) run(f func()) { s.running.Go(f) }

// serve answers on l until Close.
func (s *System) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	s.servers = append(s.servers, func() error {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
	s.run(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	})
}

// front adds the pages that only a local system has: where its world is, how it
// stands, and its dead letters again.
func (s *System) front(api http.Handler) http.Handler {
	page, err := json.Marshal(map[string]string{"stage": "local", "world": s.WorldURL})
	if err != nil {
		panic("local: two strings do not marshal: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/local" && r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = w.Write(page) // the caller is gone when this fails
			return
		}
		if !s.operate(w, r) {
			api.ServeHTTP(w, r)
		}
	})
}

// openKeys opens the keys of this machine and the secret its world is made from.
// Without a data directory they last as long as the process.
func (s *System) openKeys(o Options) (seed string, err error) {
	dir := o.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "doudi-keys-"); err != nil {
			return "", err
		}
		s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
	}
	keys, err := seal.OpenKeyFile(filepath.Join(dir, "keys.json"), s.ids)
	if err != nil {
		return "", err
	}
	s.Box, s.Blind = seal.NewBox(under[seal.Keys](o.Under.Keys, keys), rand.Reader), keys.Blind()
	return s.Blind.Ref("world", "seed"), nil
}

func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}
