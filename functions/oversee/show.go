package oversee

import (
	"context"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/money"
)

// Indicators is the answer: what each indicator is, the figures of the whole, and
// the rows that were asked for.
type Indicators struct {
	Division  string `json:"division"`
	Place     string `json:"place"`
	From      string `json:"from"`
	To        string `json:"to"` // included
	Programme string `json:"programme,omitempty"`
	By        string `json:"by,omitempty"`
	At        string `json:"at"` // of ages, and of what stands open
	// Folded is how many entries of the evidence log the figures rest on.
	Folded int64 `json:"folded"`
	// ErrorPermille is the greatest error of a percentile, in thousandths of it.
	ErrorPermille int          `json:"error_permille"`
	Indicators    []Definition `json:"indicators"`
	Figures       []Figure     `json:"figures"`
	Rows          []Row        `json:"rows"`
}

// Definition says what an indicator is and by which rule it is worked out.
type Definition struct {
	ID      string `json:"id"`
	Label   string `json:"label"`
	English string `json:"label_en"`
	Rule    string `json:"rule"`
	RuleEN  string `json:"rule_en"`
	Source  string `json:"source"`
	Open    bool   `json:"open"` // has cases that stand open now
}

// Figure is one indicator of one row.
type Figure struct {
	indicator.Figure
	// SharePermille is Count, or where there is a day to keep to, Within24h, of Of.
	SharePermille int64 `json:"share_permille,omitempty"`
}

// Row is a division, a day, a member of staff or a programme with its figures.
type Row struct {
	Key     string   `json:"key"`
	Label   string   `json:"label"`
	Figures []Figure `json:"figures"`
}

func show(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Indicators, error) {
	r, err := d.report(ctx, call.Request)
	if err != nil {
		return Indicators{}, err
	}
	out := Indicators{Division: string(r.Division), Place: d.name(r.Division, r.To), From: r.From.String(), To: r.To.String(), Programme: r.Programme,
		By: string(r.By), At: clock(r.At), Folded: int64(r.Folded), ErrorPermille: int(indicator.Accuracy * 1000),
		Indicators: []Definition{}, Figures: figures(r.Figures), Rows: []Row{}}
	for _, i := range indicator.All() {
		out.Indicators = append(out.Indicators, Definition{string(i.ID), i.Chinese, i.English, i.Rule.Chinese, i.Rule.English, i.Rule.Source, indicator.CanBeOpen(i.ID)})
	}
	for _, row := range r.Rows {
		out.Rows = append(out.Rows, Row{row.Key, d.label(r, row.Key), figures(row.Figures)})
	}
	return out, nil
}

// report answers what the caller asks about.
func (d Deps) report(ctx context.Context, r httpapi.Request) (indicator.Report, error) {
	q, err := d.question(ctx, r)
	if err != nil {
		return indicator.Report{}, err
	}
	return d.reader().Report(ctx, q.Question)
}

func figures(list []indicator.Figure) []Figure {
	out := make([]Figure, len(list))
	for i, f := range list {
		out[i] = Figure{Figure: f, SharePermille: f.SharePermille()}
	}
	return out
}

// label is how people know a row.
func (d Deps) label(r indicator.Report, key string) string {
	switch r.By {
	case indicator.ByDivision:
		return d.name(civil.DivisionCode(key), r.To)
	case indicator.ByProgramme:
		return programmes[key]
	}
	return key
}

var programmes = map[string]string{indicator.FirstAid: "急难型临时救助（先行救助）", indicator.NoProgramme: "不属于救助项目的事项"}

func (d Deps) name(code civil.DivisionCode, on civil.Day) string {
	v, _ := d.Tree.Find(code, on)
	return v.Name
}

func clock(t time.Time) string { return t.In(calendar.Zone).Format(time.RFC3339) }

// Cases is one page of the cases behind a figure. A page may be shorter than
// asked for, and even empty, while Next is not.
type Cases struct {
	Cases []Case `json:"cases"`
	Next  string `json:"next"` // for ?after= and empty on the last page
}

// Case is one case behind a figure. It holds nothing personal.
type Case struct {
	Application string    `json:"application,omitempty"`
	Matter      string    `json:"matter,omitempty"` // what is no application, by noun and id
	Township    string    `json:"township"`
	Place       string    `json:"place"`
	Programme   string    `json:"programme"`
	Day         string    `json:"day"`
	At          string    `json:"at,omitempty"`
	Code        string    `json:"code,omitempty"`
	Staff       string    `json:"staff,omitempty"`
	AmountFen   money.Fen `json:"amount_fen,omitempty"`
	Seconds     int64     `json:"seconds,omitempty"`
}

// defaultCases is a page when nobody says.
const defaultCases = 50

func cases(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Cases, error) {
	q, err := d.question(ctx, call.Request)
	if err != nil {
		return Cases{}, err
	}
	s := indicator.Search{Question: q.Question, Indicator: indicator.ID(call.Path("indicator")), Code: call.Query("code"), Staff: call.Query("staff"),
		Limit: defaultCases, After: call.Query("after")}
	if s.Limit, err = whole(call.Query("limit"), defaultCases, 1, indicator.MostCases); err != nil {
		return Cases{}, err
	}
	least, err := whole(call.Query("min_seconds"), 0, 0, 1<<40)
	if err != nil {
		return Cases{}, err
	}
	s.MinSeconds = int64(least)
	switch call.Query("open") {
	case "":
	case "true":
		if s.Open = true; !indicator.CanBeOpen(s.Indicator) {
			return Cases{}, indicator.ErrNone
		}
	default:
		return Cases{}, indicator.ErrCursor
	}
	list, next, err := d.reader().Cases(ctx, s)
	if err != nil {
		return Cases{}, err
	}
	out := Cases{Cases: []Case{}, Next: next}
	for _, c := range list {
		one := Case{Application: c.Application, Matter: c.Matter, Township: string(c.Township), Place: d.name(c.Township, q.To), Programme: c.Programme,
			Day: c.Day, Code: c.Code, Staff: c.Staff, AmountFen: c.AmountFen, Seconds: c.Seconds}
		if !q.officers {
			one.Staff = ""
		}
		if !c.At.IsZero() {
			one.At = clock(c.At)
		}
		out.Cases = append(out.Cases, one)
	}
	return out, nil
}

// whole reads a whole number among the parameters.
func whole(text string, unsaid, least, most int) (int, error) {
	if text == "" {
		return unsaid, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, indicator.ErrCursor
	}
	return n, nil
}
