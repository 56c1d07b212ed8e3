// Package oversee keeps the figures of supervision current and shows them: it
// folds the evidence log as it grows, and answers what the figures are, which
// cases are behind each and by which rule it is made. It changes nothing but its
// own figures, decides nothing, and shows nobody's particulars.
package oversee

import (
	"context"
	"net/http"
	"time"

	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/delegation"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table   table.Store
	Tree    *division.Tree
	Folder  *indicator.Folder
	Now     func() time.Time
	Metrics telemetry.Metrics
}

// asking are the parameters of a question.
var asking = []string{"division", "from", "to", "programme", "by"}

// Routes are what this function answers.
func Routes(d Deps) []httpapi.Route {
	ask := func(more ...string) httpapi.Options {
		return httpapi.Options{Caller: httpapi.Staff, Query: append(more, asking...)}
	}
	return []httpapi.Route{
		httpapi.JSON("GET /v1/staff/indicators", http.StatusOK, ask(), httpapi.With(d, show)),
		httpapi.JSON("GET /v1/staff/indicators/{indicator}/cases", http.StatusOK,
			ask("open", "code", "staff", "min_seconds", "after", "limit"), httpapi.With(d, cases)),
		httpapi.Raw("GET /v1/staff/indicators/export", ask(), httpapi.With(d, export)),
		httpapi.Raw("GET /v1/staff/indicators/curve", ask(), httpapi.With(d, curve)),
	}
}

// Budget is how long one message may fold, well below the function's own timeout:
// what is left then is folded by the next.
const Budget = 40 * time.Second

// Fold folds all that the log has, whatever the message says: a message is only a
// reason to look. Messages may be lost, for another comes every minute; two may
// be handled at once, for a fold that was overtaken writes nothing. A message whose
// time is over has done what it could, and what is left is folded by the next: that
// is no failure.
func Fold(d Deps) queue.Handler {
	return func(ctx context.Context, _ queue.Message) error {
		within, done := context.WithTimeout(ctx, Budget)
		defer done()
		n, err := d.Folder.Fold(within)
		d.Metrics.Count("indicator_folded", int64(n))
		if err == nil {
			err = d.behind(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
}

// behind measures how many entries of the log are in no figure yet.
func (d Deps) behind(ctx context.Context) error {
	behind, err := d.Folder.Behind(ctx)
	if err == nil {
		d.Metrics.Count("indicator_behind", int64(behind))
	}
	return err
}

func (d Deps) reader() indicator.Reader {
	return indicator.Reader{Table: d.Table, Tree: d.Tree, Now: d.Now}
}

// asked is a question that the caller may ask.
type asked struct {
	indicator.Question
	officers bool // the caller may see who did what
}

// question is what the caller asks about, when they may. A division outside the
// caller's is forbidden, whether there is such a division or not (X012).
func (d Deps) question(ctx context.Context, r httpapi.Request) (asked, error) {
	now := d.Now()
	q := asked{Question: indicator.Question{Programme: r.Query("programme"), By: indicator.By(r.Query("by"))}}
	who, err := d.acting(ctx, r.Principal.ID, now)
	if err != nil {
		return q, err
	}
	if q.Division, err = civil.ParseDivision(r.Query("division")); err != nil {
		return q, staff.ErrNotAllowed
	}
	may := func(action staff.Action) bool {
		ask := staff.Request{Action: action, Staff: who, At: now, Within: d.within(q.Division, now)}
		if county, ok := d.Tree.CountyOf(q.Division, calendar.Today(now)); ok {
			ask.County = county.Code
		}
		return staff.Authorize(ask).Allow
	}
	q.officers = may(staff.ReadOfficers)
	if wants := q.By == indicator.ByOfficer || r.Query("staff") != ""; wants && !q.officers || !may(staff.ReadIndicators) {
		return q, staff.ErrNotAllowed
	}
	q.From, q.To, err = days(r.Query("from"), r.Query("to"), calendar.Today(now))
	return q, err
}

// days are those asked about: the last 30 when nobody says.
func days(from, to string, today civil.Day) (a, b civil.Day, err error) {
	b = today
	if to != "" {
		if b, err = civil.ParseDay(to); err != nil {
			return a, b, indicator.ErrDays
		}
	}
	a = b.AddDays(-29)
	if from != "" {
		if a, err = civil.ParseDay(from); err != nil {
			return a, b, indicator.ErrDays
		}
	}
	return a, b, nil
}

// acting is the member of staff behind a session. Whoever a brake stops reads no
// more than they act.
func (d Deps) acting(ctx context.Context, id string, now time.Time) (staff.Staff, error) {
	who, err := staff.Acting(ctx, d.Table, id)
	if err != nil {
		return who, err
	}
	if who, err = delegation.With(ctx, d.Table, who, now); err != nil {
		return who, err
	}
	board, err := brake.Read(ctx, d.Table, id)
	if err != nil {
		return who, err
	}
	return who, board.Frozen(now, event.Actor{ID: who.ID, Person: who.Person})
}

// within is a division and all it stands in, narrowest first.
func (d Deps) within(code civil.DivisionCode, at time.Time) []civil.DivisionCode {
	return d.Tree.Around(code, calendar.Today(at))
}
