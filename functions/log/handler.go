// Package log keeps the evidence log going: it puts what the table's stream
// brings into the log, finds each minute what the stream lost, signs what the log
// is, and gives it to whoever checks. It decides nothing about any case, and
// refuses nobody the means to find it out.
package log

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Publisher *evidence.Publisher
	// Key is what the log's signatures are verified with, as it is pinned.
	Key string
	// Pinned are the public keys of the witnesses.
	Pinned []string
	// Send wakes whoever folds the log into figures; nil wakes nobody. A message
	// that is lost is made up for by the sweeper's.
	Send queue.Sender
	// Pace is how often at most the stream publishes; 0 for Pace.
	Pace    time.Duration
	Now     func() time.Time
	Metrics telemetry.Metrics
	Log     *slog.Logger
}

// Pace is how often at most the stream publishes, where Deps does not say; the
// schedule does so too.
const Pace = 10 * time.Second

// Changes puts the events among changes into the log, and publishes when that was
// not done a moment ago. It may run twice for one change, or late.
func Changes(d Deps) func(context.Context, []table.Change) error {
	return func(ctx context.Context, changes []table.Change) error {
		var items []table.Item
		for _, c := range changes {
			if event.Is(c.Item.Key) {
				items = append(items, c.Item)
			}
		}
		if len(items) == 0 {
			return nil
		}
		n, altered, err := d.Publisher.Log.Take(ctx, items...)
		d.Metrics.Count("log_sequenced", int64(n))
		d.differ(ctx, altered)
		if err != nil {
			return err
		}
		d.wake(ctx, n)
		last, err := d.Publisher.Published(ctx)
		if err != nil || d.Now().Sub(last.At) < cmp.Or(d.Pace, Pace) {
			return err
		}
		_, err = d.publish(ctx)
		return err
	}
}

// wake has the figures look into the log once it has grown by n.
func (d Deps) wake(ctx context.Context, n int) {
	if d.Send == nil || n == 0 {
		return
	}
	if err := d.Send.Send(ctx, string(work.Oversee), work.Message{PK: "LOG", SK: "HEAD"}.Encode(), 0); err != nil {
		d.Log.WarnContext(ctx, "the figures were not woken; the sweeper does", "error", err)
	}
}

// Horizon is how far back the first sweep of a log looks.
const Horizon = 48 * time.Hour

// Run is one turn of the schedule: sweep, publish, look whether what was
// sequenced is still there, and say how it stands. It may die anywhere.
func Run(ctx context.Context, d Deps) error {
	swept, err := d.Publisher.Log.Sweep(ctx, d.Now().Add(-Horizon))
	d.Metrics.Count("log_found", int64(swept.Found)) // the stream lost these
	d.wake(ctx, swept.Found)
	d.Metrics.Age("log_unsequenced_oldest", swept.Oldest)
	published, err2 := d.publish(ctx)
	audit, err3 := d.Publisher.Log.Revisit(ctx, revisits)
	d.differ(ctx, audit.Findings)
	unwitnessed, err4 := d.Publisher.Unwitnessed(ctx)
	if err4 == nil {
		d.Metrics.Age("log_unwitnessed", unwitnessed)
	}
	if err2 == nil {
		d.Metrics.Count("log_size", int64(published.Edge.Size))
	}
	return errors.Join(err, err2, err3, err4)
}

// differ says which events are not what the log says they were.
func (d Deps) differ(ctx context.Context, found []evidence.Found) {
	for _, f := range found {
		d.Log.ErrorContext(ctx, "the log and the table differ", "leaf", f.Index, "item", f.Key.PK+" "+f.Key.SK, "found", string(f.Opening))
	}
	d.Metrics.Count("log_altered", int64(len(found)))
}

// revisits is how many leaves one turn compares with their events.
const revisits = 500

func (d Deps) publish(ctx context.Context) (evidence.Published, error) {
	p, err := d.Publisher.Publish(ctx)
	if errors.Is(err, evidence.ErrDamaged) {
		d.Metrics.Count("log_altered", 1)
		d.Log.ErrorContext(ctx, "the log is not what was sequenced; nothing is signed", "error", err)
	}
	return p, err
}

// About is which log this is and whose signatures count.
type About struct {
	Origin    string   `json:"origin"`
	Key       string   `json:"key"`
	Witnesses []string `json:"witnesses"`
}

// Routes are what log answers. Checkpoints and hashes are for everybody: they tell
// nobody anything but whether something was changed. Leaves are for witnesses.
func Routes(d Deps) []httpapi.Route {
	anyone := httpapi.Options{Caller: httpapi.Anyone}
	return []httpapi.Route{
		httpapi.JSON("GET /v1/log", http.StatusOK, anyone, func(context.Context, httpapi.Call[httpapi.None]) (About, error) {
			return About{d.Publisher.Signer.Name(), d.Key, append([]string{}, d.Pinned...)}, nil
		}),
		httpapi.Raw("GET /v1/log/checkpoint", anyone, d.checkpoint(d.Publisher.Published)),
		httpapi.Raw("GET /v1/log/witnessed", anyone, d.checkpoint(d.Publisher.Witnessed)),
		httpapi.Raw("GET /v1/log/tiles/{level}/{index}", httpapi.Options{Caller: httpapi.Anyone, Query: []string{"width"}}, d.tile),
		httpapi.Raw("POST /v1/log/leaves", httpapi.Options{Caller: httpapi.Provider, MaxBody: maxNote}, d.leaves),
		httpapi.Raw("POST /v1/log/cosignatures", httpapi.Options{Caller: httpapi.Provider, MaxBody: maxNote}, d.cosign),
	}
}

// maxNote is the most bytes of a note that is sent here.
const maxNote = 16 << 10

func text(status int, body []byte) httpapi.RawAnswer {
	return httpapi.RawAnswer{Status: status, ContentType: "text/plain; charset=utf-8", Body: body}
}

func octets(body []byte) httpapi.RawAnswer {
	return httpapi.RawAnswer{Status: http.StatusOK, ContentType: "application/octet-stream", Body: body}
}

func (d Deps) checkpoint(read func(context.Context) (evidence.Published, error)) func(context.Context, httpapi.RawCall) (httpapi.RawAnswer, error) {
	return func(ctx context.Context, _ httpapi.RawCall) (httpapi.RawAnswer, error) {
		p, err := read(ctx)
		if err == nil && p.Note == "" {
			err = evidence.ErrNotPublished
		}
		return text(http.StatusOK, []byte(p.Note)), err
	}
}

// tile gives a tile of hashes by level, index and width; a full one when no width
// is asked for.
func (d Deps) tile(ctx context.Context, c httpapi.RawCall) (httpapi.RawAnswer, error) {
	width := evidence.Block
	level, err := strconv.Atoi(c.Path("level"))
	index, err2 := strconv.ParseUint(c.Path("index"), 10, 63)
	var err3 error
	if w := c.Query("width"); w != "" {
		width, err3 = strconv.Atoi(w)
	}
	if errors.Join(err, err2, err3) != nil || level < 0 || level > 7 || width < 1 || width > evidence.Block {
		return httpapi.RawAnswer{}, evidence.ErrNotPublished
	}
	return d.blob(ctx, evidence.TilePath(level, index, width))
}

func (d Deps) blob(ctx context.Context, name string) (httpapi.RawAnswer, error) {
	body, err := d.Publisher.Blobs.Get(ctx, name)
	if errors.Is(err, evidence.ErrNoBlob) {
		err = evidence.ErrNotPublished
	}
	return octets(body), err
}

// leaves gives a bundle of leaves to a witness that asks for it with its key.
func (d Deps) leaves(ctx context.Context, c httpapi.RawCall) (httpapi.RawAnswer, error) {
	bundle, width, err := evidence.OpenAsk(c.Raw, d.Publisher.Signer.Name(), d.Now(), d.Publisher.Witnesses...)
	if err != nil {
		return httpapi.RawAnswer{}, err
	}
	return d.blob(ctx, evidence.TilePath(-1, bundle, width))
}

// cosign takes a cosignature back. The note says itself who signed it.
func (d Deps) cosign(ctx context.Context, c httpapi.RawCall) (httpapi.RawAnswer, error) {
	s, err := d.Publisher.Cosign(ctx, c.Raw)
	if err != nil {
		return httpapi.RawAnswer{}, err
	}
	var names []string
	for _, w := range s.Witnesses {
		names = append(names, w.Name)
	}
	d.Log.InfoContext(ctx, "cosigned", "size", s.Size, "by", strings.Join(names, " "))
	p, err := d.Publisher.Witnessed(ctx)
	return text(http.StatusOK, []byte(p.Note)), err
}
