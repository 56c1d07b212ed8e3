package indicator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/table"
)

// Question asks for the figures of one division over some days.
type Question struct {
	Division  civil.DivisionCode
	From, To  civil.Day // both included
	Programme string    // "" for all
	By        By
}

// By is what a report has rows of.
type By string

// The rows.
const (
	ByNothing   By = ""
	ByDivision  By = "division"
	ByDay       By = "day"
	ByOfficer   By = "officer"
	ByProgramme By = "programme"
)

// Report is the answer: the whole, and the rows it is made of.
type Report struct {
	Question
	At time.Time
	// Folded is how many entries of the log the figures rest on.
	Folded  uint64
	Figures []Figure
	Rows    []Row
	whole   *cell
}

// Row is one row: a division by its code, a day, an officer by staff id or a
// programme.
type Row struct {
	Key     string
	Figures []Figure
}

// Reader reads figures. It changes nothing.
type Reader struct {
	Table table.Store
	Tree  *division.Tree
	Now   func() time.Time
}

const (
	mostDays      = 731
	mostDayRows   = 366
	atOnce        = 32
	programmeSize = 40 // bytes of a programme's name
)

// check refuses a question that nobody can answer.
func (q Question) check() error {
	days := int(q.To.Start(time.UTC).Sub(q.From.Start(time.UTC))/(24*time.Hour)) + 1
	switch {
	case q.From.IsZero() || q.To.IsZero() || days < 1 || days > mostDays || q.By == ByDay && days > mostDayRows:
		return ErrDays
	case !slices.Contains([]By{ByNothing, ByDivision, ByDay, ByOfficer, ByProgramme}, q.By):
		return ErrBy
	case len(q.Programme) > programmeSize || strings.ContainsAny(q.Programme, "#\x00"):
		return ErrProgramme
	}
	return nil
}

// Report answers q. The divisions in it are those that the tree has on the last
// day; what a case belongs to is what it stood in when it was accepted.
func (r Reader) Report(ctx context.Context, q Question) (Report, error) {
	out := Report{Question: q, At: r.Now(), Rows: []Row{}}
	if err := q.check(); err != nil {
		return out, err
	}
	at, err := readPosition(ctx, r.Table)
	if err != nil {
		return out, err
	}
	out.Folded = at.Next
	programmes, err := q.programmes(at)
	if err != nil {
		return out, err
	}
	keys, read := r.rows(q, programmes)
	rows := make([]Row, len(keys))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	group.Go(func() error {
		v, err := r.view(inner, q, q.Division, programmes, out.At)
		out.Figures, out.whole = v.figures(false), v.cell
		return err
	})
	for i, key := range keys {
		group.Go(func() error {
			v, err := read(inner, key, out.At)
			rows[i] = Row{key, v.figures(false)}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return out, err
	}
	switch q.By {
	case ByDay:
		rows, err = r.days(ctx, q, programmes, out.At)
	case ByOfficer:
		rows, err = r.officers(ctx, q, programmes, out.At)
	}
	out.Rows = append(out.Rows, rows...)
	return out, err
}

// programmes are those that q is about.
func (q Question) programmes(at position) ([]string, error) {
	known := append(slices.Clone(at.Programmes), NoProgramme)
	slices.Sort(known)
	known = slices.Compact(known)
	switch {
	case q.Programme == "":
		return known, nil
	case slices.Contains(known, q.Programme), q.Programme == FirstAid:
		return []string{q.Programme}, nil
	}
	return nil, ErrProgramme
}

// rows are the keys of q's rows that are read one by one, and how.
func (r Reader) rows(q Question, programmes []string) ([]string, func(context.Context, string, time.Time) (View, error)) {
	switch q.By {
	case ByDivision:
		var keys []string
		for _, d := range r.Tree.Children(q.Division, q.To) {
			if d.Code.Level() <= civil.TownshipLevel {
				keys = append(keys, string(d.Code))
			}
		}
		return keys, func(ctx context.Context, key string, now time.Time) (View, error) {
			return r.view(ctx, q, civil.DivisionCode(key), programmes, now)
		}
	case ByProgramme:
		return programmes, func(ctx context.Context, key string, now time.Time) (View, error) {
			return r.view(ctx, q, q.Division, []string{key}, now)
		}
	}
	return nil, nil
}

// view reads the figures of one division as a whole.
func (r Reader) view(ctx context.Context, q Question, d civil.DivisionCode, programmes []string, now time.Time) (View, error) {
	v := View{Now: now, From: q.From, To: q.To, cell: newCell()}
	for _, p := range programmes {
		for _, s := range spans(q.From, q.To) {
			err := r.each(ctx, table.Query{PK: cellPK(d, p), From: s[0], To: s[1]}, func(item table.Item) error {
				c, err := decodeCell(item.Body)
				if err != nil {
					return err
				}
				return v.cell.merge(c)
			})
			if err != nil {
				return v, err
			}
		}
		open, err := r.standing(ctx, d, p)
		if err != nil {
			return v, err
		}
		v.open = append(v.open, open...)
	}
	return v, nil
}

// standing reads everything that stands open in a division.
func (r Reader) standing(ctx context.Context, d civil.DivisionCode, programme string) (all []standing, err error) {
	err = r.each(ctx, table.Query{PK: cellPK(d, programme)}.Prefix(standingPrefix), func(item table.Item) error {
		s, err := decodeStanding(item.Body)
		if err == nil && len(s.times) > 0 {
			all = append(all, *s)
		}
		return err
	})
	return all, err
}

func (r Reader) each(ctx context.Context, q table.Query, do func(table.Item) error) error {
	for item, err := range table.All(ctx, r.Table, q) {
		if err != nil {
			return err
		}
		if err := do(item); err != nil {
			return fmt.Errorf("%s %s: %w", item.Key.PK, item.Key.SK, err)
		}
	}
	return nil
}

// spans are the ranges of sort keys that make up the days from from to to: whole
// months by their month, the rest by days. Together they are each day once.
func spans(from, to civil.Day) [][2]string {
	var list [][2]string
	days := func(a, b civil.Day) {
		if !a.After(b) {
			list = append(list, [2]string{daySK(a.String()), daySK(b.String())})
		}
	}
	first, last := from, to // of the whole months
	if from.DayOfMonth() != 1 {
		first = nextMonth(from)
	}
	if to.AddDays(1).DayOfMonth() != 1 {
		last = civil.Date(to.Year(), to.Month(), 1).AddDays(-1)
	}
	if first.After(last) {
		days(from, to)
		return list
	}
	days(from, first.AddDays(-1))
	list = append(list, [2]string{monthSK(first.String()), monthSK(last.String())})
	days(last.AddDays(1), to)
	return list
}

// nextMonth is the first day of the month after d's.
func nextMonth(d civil.Day) civil.Day {
	return civil.DayOf(time.Date(d.Year(), d.Month()+1, 1, 0, 0, 0, 0, time.UTC), time.UTC)
}

// days are the rows of each day on which anything happened.
func (r Reader) days(ctx context.Context, q Question, programmes []string, now time.Time) ([]Row, error) {
	cells := map[string]*cell{}
	for _, p := range programmes {
		query := table.Query{PK: cellPK(q.Division, p), From: daySK(q.From.String()), To: daySK(q.To.String())}
		err := r.each(ctx, query, func(item table.Item) error {
			on := strings.TrimPrefix(item.Key.SK, dayPrefix)
			c, err := decodeCell(item.Body)
			if err != nil {
				return err
			}
			if cells[on] == nil {
				cells[on] = newCell()
			}
			return cells[on].merge(c)
		})
		if err != nil {
			return nil, err
		}
	}
	open, err := r.opened(ctx, q.Division, programmes)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for on, c := range cells {
		d, err := civil.ParseDay(on)
		if err != nil {
			return nil, err
		}
		v := View{Now: now, From: d, To: d, cell: c, open: open}
		rows = append(rows, Row{on, v.figures(true)})
	}
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
	return rows, nil
}

func (r Reader) opened(ctx context.Context, d civil.DivisionCode, programmes []string) (all []standing, err error) {
	for _, p := range programmes {
		some, err := r.standing(ctx, d, p)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// officers are the rows of each member of staff who did anything there, on the
// days on which they did it: the sums over the townships.
func (r Reader) officers(ctx context.Context, q Question, programmes []string, now time.Time) ([]Row, error) {
	var mu sync.Mutex
	cells := map[string]*cell{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, d := range r.Tree.Below(q.Division, q.To) {
		for _, p := range programmes {
			for _, s := range spans(q.From, q.To) {
				group.Go(func() error {
					query := table.Query{PK: officerPK(d, p), From: s[0], To: s[1] + "#\U0010FFFF"}
					return r.each(ctx, query, func(item table.Item) error {
						c, err := decodeCell(item.Body)
						parts := strings.SplitN(item.Key.SK, "#", 3)
						if err != nil || len(parts) != 3 {
							return err
						}
						mu.Lock()
						defer mu.Unlock()
						id := parts[2]
						if cells[id] == nil {
							cells[id] = newCell()
						}
						return cells[id].merge(c)
					})
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var rows []Row
	for id, c := range cells {
		v := View{Now: now, From: q.From, To: q.To, cell: c}
		rows = append(rows, Row{id, v.officerFigures()})
	}
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
	return rows, nil
}

// ofOfficers are the indicators that say something about one member of staff.
var ofOfficers = []ID{Decided, DeskPropose, DeskApprove, Refusals, Holds, Hoarding, NearCeiling, Splits, EndOfDay}

// ofNow are the indicators of this moment, which no single day has.
var ofNow = []ID{Undecided, Explanation, Holds, UnknownPayments, Coverage, Complaints}

func officersOnly(id ID) bool { return id == DeskPropose || id == DeskApprove }

// figures are all figures of a division; on a single past day, without those
// that are of this moment.
func (v View) figures(oneDay bool) []Figure {
	if v.cell == nil {
		return nil
	}
	var list []Figure
	for _, i := range all {
		if officersOnly(i.ID) || oneDay && slices.Contains(ofNow, i.ID) {
			continue
		}
		list = append(list, i.figure(v))
	}
	return list
}

func (v View) officerFigures() []Figure {
	var list []Figure
	for _, i := range all {
		if slices.Contains(ofOfficers, i.ID) {
			list = append(list, i.figure(v))
		}
	}
	return list
}

// Curve is the cumulated distribution of an elapsed time in the report's whole,
// for drawing; nil for an indicator that is none.
func (r Report) Curve(id ID) []Step {
	if r.whole == nil {
		return nil
	}
	return r.whole.Spreads[string(id)].steps()
}
