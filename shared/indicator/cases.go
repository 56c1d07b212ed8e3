package indicator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
)

// Case is one case behind a figure.
type Case struct {
	Indicator   ID                 `json:"indicator,omitempty"`
	Application string             `json:"application,omitempty"`
	Matter      string             `json:"matter,omitempty"` // noun and id of what is no application
	Township    civil.DivisionCode `json:"township,omitempty"`
	Programme   string             `json:"programme,omitempty"`
	Day         string             `json:"day,omitempty"`
	At          time.Time          `json:"at,omitzero"`
	Code        string             `json:"code,omitempty"`
	Staff       string             `json:"staff,omitempty"` // whose act it was
	AmountFen   money.Fen          `json:"amount_fen,omitempty"`
	Seconds     int64              `json:"seconds,omitempty"` // how long it took, or was late
}

func encodeCase(c Case) ([]byte, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("indicator: case: %w", err)
	}
	return body, nil
}

// Search asks for the cases behind a figure of q.
type Search struct {
	Question
	Indicator ID
	Open      bool   // what stands open now, instead of what happened on the days
	Code      string // one part of the figure; "" for all
	Staff     string // one officer's; "" for all
	// MinSeconds leaves out what took less, for elapsed times.
	MinSeconds int64
	Limit      int
	After      string // mark of the page before
}

// MostCases is the longest page.
const MostCases = 200

// mostRead bounds what one page looks at: it may then be shorter than asked for,
// even empty, and has a mark all the same.
const mostRead = 1000

// place is one partition that lists cases, of the table or of an index.
type place struct {
	index table.Index
	pk    string
}

// mark is where a page ended: in which place, and after which page of it.
type mark struct {
	Place int          `json:"p"`
	Skip  int          `json:"k,omitempty"`
	After table.Cursor `json:"a,omitempty"`
}

// Cases lists the cases behind a figure in the order of their days, or of the
// times since which they stand open, within each division. next is for After,
// and "" at the end.
func (r Reader) Cases(ctx context.Context, s Search) (cases []Case, next string, err error) {
	if err := s.check(); err != nil {
		return nil, "", err
	}
	i, ok := Of(s.Indicator)
	if !ok {
		return nil, "", ErrNone
	}
	at, err := readPosition(ctx, r.Table)
	if err != nil {
		return nil, "", err
	}
	programmes, err := s.programmes(at)
	if err != nil {
		return nil, "", err
	}
	places := r.places(s, i, programmes)
	m, err := parseMark(s.After, len(places))
	if err != nil {
		return nil, "", err
	}
	cases = []Case{}
	read := 0
	for ; m.Place < len(places); m = (mark{Place: m.Place + 1}) {
		p := places[m.Place]
		q := table.Query{Index: p.index, PK: p.pk, After: m.After, Limit: min(MostCases, table.MaxPage)}
		if !s.Open {
			q.From, q.To = s.From.String(), s.To.String()+"#\U0010FFFF"
		}
		for {
			page, err := r.Table.Query(ctx, q)
			if err != nil {
				return nil, "", err
			}
			for n, item := range page.Items {
				if n < m.Skip {
					continue
				}
				if len(cases) == s.Limit || read == mostRead {
					next, err := mark{m.Place, n, q.After}.encode()
					return cases, next, err
				}
				read++
				c, ok, err := s.read(i, item)
				if err != nil {
					return nil, "", err
				}
				if ok {
					cases = append(cases, c)
				}
			}
			m.Skip = 0
			if page.Next == "" {
				break
			}
			q.After = page.Next
		}
	}
	return cases, "", nil
}

// places lists where the cases of s are: a township's own partition, and for
// what lies above it the lists of all that is below.
func (r Reader) places(s Search, i Indicator, programmes []string) []place {
	var list []place
	lists := openLists[i.ID]
	for _, p := range programmes {
		for _, d := range append([]civil.DivisionCode{s.Division}, r.between(s.Division, s.To)...) {
			own := d == s.Division
			switch {
			case s.Open:
				for _, l := range lists {
					if own {
						list = append(list, place{table.ByWork, openPK(l, d, p)})
					}
					list = append(list, place{table.ByOwner, openPK(l, d, p) + above})
				}
			case i.cases == accepted:
				if own {
					list = append(list, place{table.ByWork, acceptedPK(d, p)})
				}
				list = append(list, place{table.ByOwner, acceptedPK(d, p) + above})
			default:
				if own {
					list = append(list, place{"", markPK(i.ID, d, p)})
				}
				list = append(list, place{table.ByWork, markPK(i.ID, d, p) + above})
			}
		}
	}
	return list
}

// between are the divisions in d that have townships in them.
func (r Reader) between(d civil.DivisionCode, on civil.Day) []civil.DivisionCode {
	var list []civil.DivisionCode
	for _, c := range r.Tree.Children(d, on) {
		if c.Code.Level() < civil.TownshipLevel {
			list = append(append(list, c.Code), r.between(c.Code, on)...)
		}
	}
	return list
}

// openLists are the lists in which the open cases of an indicator stand.
var openLists = map[ID][]string{Undecided: {lUndecided}, Explanation: {lExplanation}, Holds: {lHolds}, UnknownPayments: {lUnknown},
	Coverage: {lUnmet}, Complaints: {lComplaints}}

// listed reports whether the cases in a list can be asked for.
func listed(list string) bool {
	for _, lists := range openLists {
		if slices.Contains(lists, list) {
			return true
		}
	}
	return false
}

// CanBeOpen reports whether an indicator has cases that stand open now.
func CanBeOpen(id ID) bool { return len(openLists[id]) > 0 }

// read is one case, when s asks for it.
func (s Search) read(i Indicator, item table.Item) (c Case, ok bool, err error) {
	if !s.Open && i.cases == accepted {
		m, err := decodeMatter(item.Body)
		if err != nil {
			return c, false, err
		}
		c, ok = m.elapsed(i.ID)
		ok = ok && c.Seconds >= s.MinSeconds
	} else {
		ok = true
		if err := json.Unmarshal(item.Body, &c); err != nil {
			return c, false, fmt.Errorf("indicator: case: %w", err)
		}
	}
	c.Indicator = i.ID
	return c, ok && (s.Code == "" || s.Code == c.Code) && (s.Staff == "" || s.Staff == c.Staff), nil
}

// between what an elapsed time runs.
var runs = map[ID][2]string{Applications: {tAccepted, tAccepted}, Decided: {tAccepted, tDecided}, BankAccepted: {tAccepted, tBank}, Paid: {tAccepted, tPaid}, Confirmed: {tAccepted, tDone},
	StageBank: {tGranted, tBank}, StagePaid: {tBank, tPaid}, StageConfirmed: {tPaid, tDone}, DeskPropose: {tAccepted, tProposed}, DeskApprove: {tProposed, tDecided}}

// elapsed is the case with the time that id measures; false when it has none yet.
func (m *matter) elapsed(id ID) (Case, bool) {
	run := runs[id]
	from, to := m.Times[run[0]], m.Times[run[1]]
	c := Case{Application: m.ID, Township: m.township(), Programme: m.Programme, Day: m.Day, At: to, AmountFen: m.Fen["granted"], Staff: m.Words["approver"]}
	if from.IsZero() || to.IsZero() {
		return c, false
	}
	c.Seconds = int64(max(to.Sub(from), 0) / time.Second)
	if id == DeskPropose {
		c.Staff = m.Words["proposer"]
	}
	switch {
	case id == Applications:
	case c.Seconds > int64(aDay/time.Second):
		c.Code = Over24h
	default:
		c.Code = In24h
	}
	return c, true
}

// The parts of an elapsed time.
const (
	In24h   = "IN_24H"
	Over24h = "OVER_24H"
)

func (m mark) encode() (string, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("indicator: page mark: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(body), nil
}

func parseMark(text string, places int) (mark, error) {
	var m mark
	if text == "" {
		return m, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil || m.Place < 0 || m.Place >= places || m.Skip < 0 || m.Skip > table.MaxPage {
		return mark{}, ErrCursor
	}
	return m, nil
}
