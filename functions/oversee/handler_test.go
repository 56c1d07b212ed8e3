package oversee_test

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/oversee"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
)

const (
	clerk      = "320400-clerk-1"
	clerk3     = "320400-clerk-3" // of the sibling township
	approver   = "320400-approver-1"
	supervisor = "320400-supervisor-1"
	auditor    = "320400-auditor-1"
	outside    = "511700-supervisor-1"
)

// desk is an office with an evidence log, its figures and their API.
type desk struct {
	*firstaidtest.Office
	log      *evidence.Log
	fold     queue.Handler
	url      string
	sessions *session.Store
}

func open(t *testing.T) *desk {
	o := firstaidtest.New(t)
	d := &desk{Office: o, log: evidence.New(o.Store, o.Box, rand.Reader, o.Now)}
	deps := oversee.Deps{Table: o.Store, Tree: o.Tree, Now: o.Now, Metrics: telemetry.Discard,
		Folder: &indicator.Folder{Table: o.Store, Tree: o.Tree, Log: evidence.New(o.Store, nil, rand.Reader, o.Now)}}
	d.fold = oversee.Fold(deps)
	d.sessions = session.NewStore(o.Store, rand.Reader, o.Now)
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: d.sessions, Now: o.Now, IDs: o.IDs,
		Logger: telemetry.NewLogger(io.Discard, slog.LevelError), Watch: watch.Over(o.Store, o.Now)}, oversee.Routes(deps)...))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// logged puts everything that happened to a case into the log, and folds it.
func (d *desk) logged(id string) {
	d.T.Helper()
	page, err := d.Store.Query(d.T.Context(), table.Query{PK: application.Partition(id)}.Prefix(event.Prefix))
	if err == nil {
		_, err = d.log.Sequence(d.T.Context(), page.Items...)
	}
	if err == nil {
		err = d.fold(d.T.Context(), queue.Message{})
	}
	if err != nil {
		d.T.Fatal(err)
	}
}

// then writes one more event of an application into the table.
func (d *desk) then(id string, by event.Actor, kind, reason string, facts event.Facts) {
	d.T.Helper()
	page, err := d.Store.Query(d.T.Context(), table.Query{PK: application.Partition(id)}.Prefix(event.Prefix+application.Noun))
	if err != nil {
		d.T.Fatal(err)
	}
	w, err := event.Event{PK: application.Partition(id), Noun: application.Noun, ID: id, Version: int64(len(page.Items) + 1), Kind: kind, At: d.Now(),
		Actor: by, Reason: reason, Facts: facts}.Write()
	if err == nil {
		err = d.Store.Transact(d.T.Context(), w)
	}
	if err != nil {
		d.T.Fatal(err)
	}
	d.logged(id)
}

func (d *desk) get(who, path string) (status int, kind, body string) {
	d.T.Helper()
	r, err := http.NewRequestWithContext(d.T.Context(), http.MethodGet, d.url+path, nil)
	if err != nil {
		d.T.Fatal(err)
	}
	if who != "" {
		token, err := d.sessions.Open(d.T.Context(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: who}, TTL: time.Hour})
		if err != nil {
			d.T.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.T.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		d.T.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(raw)
}

// ask reads a report.
func (d *desk) ask(who, query string) oversee.Indicators {
	d.T.Helper()
	var out oversee.Indicators
	status, _, body := d.get(who, "/v1/staff/indicators?"+query)
	if status != http.StatusOK {
		d.T.Fatalf("%s: %d %s", query, status, body)
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		d.T.Fatal(err)
	}
	return out
}

func pick(list []oversee.Figure, id indicator.ID) oversee.Figure {
	for _, f := range list {
		if f.Indicator == id {
			return f
		}
	}
	return oversee.Figure{}
}

var boss = event.Actor{Kind: event.Staff, ID: approver, Person: "b1.boss"}

const (
	city     = "division=320400000000"
	county   = "division=320402000000"
	township = "division=320402005000"
	sibling  = "division=320402002000"
)

// TestReportOfARealCase follows a case that the office really took in.
func TestReportOfARealCase(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := d.Verify(d.Apply(d.Person()).ID)
	d.logged(a.ID)
	d.Pass(25 * time.Hour)
	r := d.ask(supervisor, city+"&by=division")
	if f := pick(r.Figures, indicator.Undecided); f.Count != 1 || f.Overdue != 1 || f.OldestSeconds != 25*3600 {
		t.Errorf("undecided %+v", f)
	}
	if r.Place != "常州市" || r.Folded != 2 || r.ErrorPermille != 10 || len(r.Indicators) != len(indicator.All()) || len(r.Rows) < 6 {
		t.Errorf("%+v", r)
	}
	for _, i := range r.Indicators {
		if i.Label == "" || i.English == "" || i.Rule == "" || i.RuleEN == "" || i.Source == "" {
			t.Errorf("an indicator without its words: %+v", i)
		}
	}
	d.then(a.ID, boss, "refused", "NOT_EMERGENCY", nil)
	for _, where := range []string{city, county, township} {
		r := d.ask(supervisor, where+"&by=officer")
		f := pick(r.Figures, indicator.Decided)
		if f.Count != 1 || f.Of != 1 || f.Within24h != 0 || f.Times.P50 < 25*3600*99/100 || pick(r.Figures, indicator.Undecided).Count != 0 {
			t.Errorf("%s: decided %+v", where, f)
		}
		if len(r.Rows) != 1 || r.Rows[0].Key != approver || pick(r.Rows[0].Figures, indicator.Refusals).Count != 1 {
			t.Errorf("%s: rows %+v", where, r.Rows)
		}
	}
	if f := pick(d.ask(supervisor, sibling).Figures, indicator.Decided); f.Count != 0 {
		t.Errorf("the township beside has %+v", f)
	}
	r = d.ask(auditor, city+"&by=day&from=2026-11-01&to=2026-11-30")
	if len(r.Rows) != 2 || r.Rows[0].Key != "2026-11-20" || pick(r.Rows[1].Figures, indicator.Refusals).Count != 1 {
		t.Errorf("by day %+v", r.Rows)
	}
	r = d.ask(auditor, city+"&by=programme&programme=first_aid")
	if len(r.Rows) != 1 || r.Rows[0].Label == "" || pick(r.Rows[0].Figures, indicator.Refusals).SharePermille != 1000 {
		t.Errorf("by programme %+v", r.Rows)
	}
	// Nothing personal: the whole answer holds no reference of a person.
	_, _, body := d.get(supervisor, "/v1/staff/indicators/elapsed.decided/cases?"+city)
	if strings.Contains(body, a.Subject) || !strings.Contains(body, a.ID) || !strings.Contains(body, indicator.Over24h) {
		t.Errorf("cases %s", body)
	}
}

func TestCasesBehindAFigure(t *testing.T) {
	t.Parallel()
	d := open(t)
	var ids []string
	for n := range 3 {
		a := d.Verify(d.Apply(d.Person()).ID)
		ids = append(ids, a.ID)
		d.logged(a.ID)
		d.then(a.ID, boss, "held", "OTHER", event.Facts{"hold": a.ID, "code": application.HoldStaff})
		if n == 2 {
			d.then(a.ID, boss, "hold_lifted", "", event.Facts{"hold": a.ID, "code": application.HoldStaff})
		}
		d.Pass(time.Minute)
	}
	list := func(who, query string) oversee.Cases {
		var out oversee.Cases
		status, _, body := d.get(who, "/v1/staff/indicators/"+query)
		if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, status, body)
		}
		return out
	}
	for _, where := range []string{city, county, township} {
		if got := list(supervisor, "holds/cases?open=true&"+where); len(got.Cases) != 2 || got.Cases[0].Application != ids[0] || got.Next != "" {
			t.Errorf("%s: open %+v", where, got)
		}
		if got := list(supervisor, "holds/cases?code=STAFF&"+where); len(got.Cases) != 3 || got.Cases[0].Staff != approver {
			t.Errorf("%s: placed %+v", where, got)
		}
	}
	if got := list(supervisor, "holds/cases?"+sibling); len(got.Cases) != 0 {
		t.Errorf("the township beside has %+v", got)
	}
	if got := list(clerk, "holds/cases?"+township); len(got.Cases) != 3 || got.Cases[0].Staff != "" {
		t.Errorf("a clerk sees who did it: %+v", got)
	}
	// Page by page, each comes once.
	var paged []string
	for after := ""; ; {
		got := list(supervisor, "applications/cases?limit=2&"+city+"&after="+after)
		for _, c := range got.Cases {
			paged = append(paged, c.Application)
		}
		if after = got.Next; after == "" {
			break
		}
	}
	slices.Sort(paged)
	slices.Sort(ids)
	if !slices.Equal(paged, ids) {
		t.Errorf("paged %v of %v", paged, ids)
	}
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := d.Verify(d.Apply(d.Person()).ID)
	d.logged(a.ID)
	for name, tc := range map[string]struct {
		who, path string
		status    int
		code      string
	}{
		"supervisor_of_the_city":        {supervisor, "?" + city, 200, ""},
		"auditor_by_officer":            {auditor, "?by=officer&" + township, 200, ""},
		"clerk_of_the_township":         {clerk, "?" + township, 200, ""},
		"approver_by_officer":           {approver, "?by=officer&" + township, 200, ""},
		"clerk_by_officer":              {clerk, "?by=officer&" + township, 403, "not-allowed"},
		"clerk_one_officers_cases":      {clerk, "/refusals/cases?staff=x&" + township, 403, "not-allowed"},
		"X012_clerk_of_another":         {clerk3, "?" + township, 403, "not-allowed"},
		"X012_clerk_above":              {clerk, "?" + county, 403, "not-allowed"},
		"X012_supervisor_elsewhere":     {outside, "?" + city, 403, "not-allowed"},
		"X012_cases_elsewhere":          {outside, "/holds/cases?" + city, 403, "not-allowed"},
		"X012_export_elsewhere":         {outside, "/export?" + city, 403, "not-allowed"},
		"X012_curve_elsewhere":          {outside, "/curve?" + city, 403, "not-allowed"},
		"no_such_division":              {supervisor, "?division=320499999999", 403, "not-allowed"},
		"no_division":                   {supervisor, "", 403, "not-allowed"},
		"nobody":                        {"", "?" + city, 401, "not-signed-in"},
		"X111_unknown_parameter":        {supervisor, "?" + city + "&filter=1", 400, "query-not-allowed"},
		"X111_formula_as_row":           {supervisor, "?" + city + "&by=%23x", 400, "indicator-by"},
		"days_the_wrong_way":            {supervisor, "?" + city + "&from=2026-12-01&to=2026-11-01", 400, "indicator-days"},
		"days_that_are_none":            {supervisor, "?" + city + "&from=2026-02-30", 400, "indicator-days"},
		"days_that_are_none_either":     {supervisor, "?" + city + "&to=yesterday", 400, "indicator-days"},
		"more_days_than_are_read":       {supervisor, "?" + city + "&from=2020-01-01", 400, "indicator-days"},
		"programme_that_is_none":        {supervisor, "?" + city + "&programme=none-such", 400, "indicator-programme"},
		"programme_with_a_partition":    {supervisor, "?" + city + "&programme=a%23b", 400, "indicator-programme"},
		"indicator_that_is_none":        {supervisor, "/happiness/cases?" + city, 404, "indicator-none"},
		"nothing_of_it_can_stand_open":  {supervisor, "/refusals/cases?open=true&" + city, 404, "indicator-none"},
		"open_is_true_or_nothing":       {supervisor, "/holds/cases?open=maybe&" + city, 400, "indicator-page"},
		"page_that_is_none":             {supervisor, "/holds/cases?after=xx&" + city, 400, "indicator-page"},
		"page_of_another_list":          {supervisor, "/holds/cases?after=eyJwIjo5OTl9&" + township, 400, "indicator-page"},
		"too_many":                      {supervisor, "/holds/cases?limit=201&" + city, 400, "indicator-page"},
		"a_time_before_the_beginning":   {supervisor, "/elapsed.paid/cases?min_seconds=-1&" + city, 400, "indicator-page"},
		"cases_of_programmes_elsewhere": {supervisor, "/holds/cases?programme=none-such&" + city, 400, "indicator-programme"},
		"cases_of_days_that_are_none":   {supervisor, "/holds/cases?from=x&" + city, 400, "indicator-days"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := d.get(tc.who, "/v1/staff/indicators"+tc.path)
			if status != tc.status || !strings.Contains(body, tc.code) || tc.status != 200 && strings.Contains(body, a.ID) {
				t.Errorf("%d %s, want %d %s", status, body, tc.status, tc.code)
			}
		})
	}
}

// TestStoppedOfficerReadsNothing: a brake on an officer stops looking too.
func TestStoppedOfficerReadsNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	board, err := brake.Read(t.Context(), d.Store, "x")
	if err != nil {
		t.Fatal(err)
	}
	hand := event.Actor{Kind: event.Staff, ID: auditor, Person: "b1.auditor"}
	b, err := brake.New(brake.Brake{ID: "brake", Kind: brake.Officer, Target: supervisor, Division: firstaidtest.County}, hand, d.Now())
	if err == nil {
		err = brake.Commit(t.Context(), d.Store, board, b, b.Event("pulled", hand, d.Now()))
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, _, body := d.get(supervisor, "/v1/staff/indicators?"+city); status != http.StatusForbidden {
		t.Errorf("%d %s", status, body)
	}
}

// TestExport puts a formula where an officer's id is (X109).
func TestExport(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, evil := range []string{`=cmd|'/c calc'!A1`, "+1", "-1", "@SUM(1)", "\tx", "plain,\"quoted\"\nnext"} {
		a := d.Verify(d.Apply(d.Person()).ID)
		d.logged(a.ID)
		d.then(a.ID, event.Actor{Kind: event.Staff, ID: evil, Person: "b1.x"}, "refused", "DECEASED", nil)
	}
	status, kind, body := d.get(supervisor, "/v1/staff/indicators/export?by=officer&"+city)
	if status != http.StatusOK || kind != "text/csv; charset=utf-8" || !strings.HasPrefix(body, "\ufeff") {
		t.Fatalf("%d %s %s", status, kind, body)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	officers := map[string]bool{}
	for n, row := range rows {
		if len(row) != len(rows[0]) {
			t.Errorf("line %d has %d cells", n, len(row))
		}
		officers[row[0]] = true
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				t.Errorf("line %d: a spreadsheet takes %q for a formula", n, cell)
			}
		}
	}
	if len(officers) != 8 || !officers[`'=cmd|'/c calc'!A1`] || !officers["plain,\"quoted\"\nnext"] { // head, whole and six
		t.Errorf("officers %v", officers)
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	d := open(t)
	for range 3 {
		a := d.Verify(d.Apply(d.Person()).ID)
		d.logged(a.ID)
		d.Pass(7 * time.Hour)
		d.then(a.ID, boss, "refused", "DECEASED", nil)
	}
	status, kind, body := d.get(supervisor, "/v1/staff/indicators/curve?"+city)
	if status != http.StatusOK || kind != "image/svg+xml" || !strings.Contains(body, "<path") || !strings.Contains(body, "100.0%") {
		t.Errorf("%d %s %s", status, kind, body)
	}
	for dec := xml.NewDecoder(strings.NewReader(body)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// down is a store that is busy.
type down struct{ table.Store }

func (down) Query(context.Context, table.Query) (table.Page, error) {
	return table.Page{}, table.ErrBusy
}

func TestBusyStore(t *testing.T) {
	t.Parallel()
	d := open(t)
	busy := down{d.Store}
	deps := oversee.Deps{Table: busy, Tree: d.Tree, Now: d.Now, Metrics: telemetry.Discard,
		Folder: &indicator.Folder{Table: busy, Tree: d.Tree, Log: evidence.New(busy, nil, rand.Reader, d.Now)}}
	sessions := session.NewStore(d.Store, rand.Reader, d.Now)
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: sessions, Now: d.Now, IDs: d.IDs,
		Logger: telemetry.NewLogger(io.Discard, slog.LevelError), Watch: watch.Over(d.Store, d.Now)}, oversee.Routes(deps)...))
	defer server.Close()
	d.url = server.URL
	if status, _, body := d.get(supervisor, "/v1/staff/indicators?"+city); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, body)
	}
	a := d.Apply(d.Person())
	page, err := d.Store.Query(t.Context(), table.Query{PK: application.Partition(a.ID)}.Prefix(event.Prefix))
	if err == nil {
		_, err = d.log.Sequence(t.Context(), page.Items...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := oversee.Fold(deps)(t.Context(), queue.Message{}); err == nil {
		t.Error("a log that cannot be read was folded")
	}
}

// lastTouch ends a context before the nth touch of the store.
type lastTouch struct {
	table.Store
	left atomic.Int64
	end  func()
}

func (s *lastTouch) touch() {
	if s.left.Add(-1) == 0 {
		s.end()
	}
}

func (s *lastTouch) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	s.touch()
	return s.Store.Get(ctx, key)
}

func (s *lastTouch) Query(ctx context.Context, q table.Query) (table.Page, error) {
	s.touch()
	return s.Store.Query(ctx, q)
}

func (s *lastTouch) Transact(ctx context.Context, writes ...table.Write) error {
	s.touch()
	return s.Store.Transact(ctx, writes...)
}

// TestStoppedFold stops a fold before each touch of the store, as a system does
// that is shut down: that is no failure of the message, and the next one folds
// what is left.
func TestStoppedFold(t *testing.T) {
	t.Parallel()
	d := open(t)
	c := d.Apply(d.Person()).ID
	page, err := d.Store.Query(t.Context(), table.Query{PK: application.Partition(c)}.Prefix(event.Prefix))
	if err == nil {
		_, err = d.log.Sequence(t.Context(), page.Items...)
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		ctx, end := context.WithCancel(t.Context())
		store := &lastTouch{Store: d.Store, end: end}
		store.left.Store(int64(n))
		fold := oversee.Fold(oversee.Deps{Table: store, Tree: d.Tree, Now: d.Now, Metrics: telemetry.Discard,
			Folder: &indicator.Folder{Table: store, Tree: d.Tree, Log: evidence.New(store, nil, rand.Reader, d.Now)}})
		err := fold(ctx, queue.Message{})
		stopped := ctx.Err() != nil
		end()
		if err != nil {
			t.Fatalf("stopped before touch %d: %v", n, err)
		}
		if !stopped {
			if n < 5 {
				t.Errorf("only %d touches", n)
			}
			break
		}
	}
	if f := pick(d.ask(supervisor, city).Figures, indicator.Applications); f.Count != 1 {
		t.Errorf("applications %+v", f)
	}
}
