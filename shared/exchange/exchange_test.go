package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/outside"
)

var (
	clientKey = []byte(strings.Repeat("c", 32))
	answerKey = []byte(strings.Repeat("a", 32))
	noon      = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// source is an exchange that answers what the test says, signed rightly.
type source struct {
	mu     sync.Mutex
	calls  int
	nonces []string
	answer func(n int, q exchange.QuestionDocument) (int, exchange.AnswerDocument)
}

type zeros struct{ n byte }

func (z *zeros) Read(b []byte) (int, error) {
	z.n++
	for i := range b {
		b[i] = z.n
	}
	return len(b), nil
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.nonces = append(s.nonces, r.Header.Get(exchange.HeaderNonce))
	if exchange.Verify(map[string][]byte{"k": clientKey}, outside.RequestKind, r.Method, r.URL.EscapedPath(), r.Header, noon, raw) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var q exchange.QuestionDocument
	if json.Unmarshal(raw, &q) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	status, a := s.answer(s.calls, q)
	body, _ := json.Marshal(a)
	maps.Copy(w.Header(), exchange.Sign("x", answerKey, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), r.Header.Get(exchange.HeaderNonce), noon, body))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func config(base string) exchange.Config {
	return exchange.Config{BaseURL: base, App: "doudi", KeyID: "k", Key: clientKey, AnswerKeys: map[string][]byte{"x": answerKey},
		Now: func() time.Time { return noon }, Random: &zeros{}, Sleep: func(context.Context, time.Duration) error { return nil }}
}

func setup(t *testing.T, s *source, change func(*exchange.Config)) *exchange.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := config(server.URL + "/x")
	if change != nil {
		change(&c)
	}
	client, err := exchange.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func reply(q exchange.QuestionDocument, result string, facts map[string]string) exchange.AnswerDocument {
	return exchange.AnswerDocument{Number: q.Number, Source: q.Source, Subject: exchange.Subject(clientKey, q.Number, q.Name, q.IDNumber),
		Result: result, AsOf: noon.Format(time.RFC3339), Facts: facts}
}

var question = exchange.Question{Source: "death", Case: "case1", LegalBasis: "社会救助法第四十一条", Consent: strings.Repeat("c", 64), Operator: "clerk",
	Name: civil.StoredName("测试人"), ID: civil.StoredIDNumber("110101199003070011"), Number: "n1"}

// TestNothingIsAskedWithoutGrounds is promise 5: no case, basis, consent or
// operator, no lookup, and not one byte leaves.
func TestNothingIsAskedWithoutGrounds(t *testing.T) {
	t.Parallel()
	s := &source{}
	c := setup(t, s, nil)
	for name, x := range map[string]struct {
		change func(*exchange.Question)
		want   exchange.Outcome
		why    string
	}{
		"no_case":            {func(q *exchange.Question) { q.Case = "" }, exchange.NotAuthorised, exchange.WhyNoCase},
		"case_is_a_space":    {func(q *exchange.Question) { q.Case = " " }, exchange.NotAuthorised, exchange.WhyNoCase},
		"no_basis":           {func(q *exchange.Question) { q.LegalBasis = " " }, exchange.NotAuthorised, exchange.WhyNoBasis},
		"no_consent":         {func(q *exchange.Question) { q.Consent = "" }, exchange.NotAuthorised, exchange.WhyNoConsent},
		"consent_is_a_yes":   {func(q *exchange.Question) { q.Consent = "yes" }, exchange.NotAuthorised, exchange.WhyNoConsent},
		"no_operator":        {func(q *exchange.Question) { q.Operator = "" }, exchange.NotAuthorised, exchange.WhyNoOperator},
		"no_number":          {func(q *exchange.Question) { q.Number = "" }, exchange.Unavailable, exchange.WhyBadQuestion},
		"no_name":            {func(q *exchange.Question) { q.Name = civil.Name{} }, exchange.Unavailable, exchange.WhyBadQuestion},
		"no_identity_number": {func(q *exchange.Question) { q.ID = civil.IDNumber{} }, exchange.Unavailable, exchange.WhyBadQuestion},
		"no_such_source":     {func(q *exchange.Question) { q.Source = "bedroom" }, exchange.Unavailable, exchange.WhyUnknownSource},
	} {
		q := question
		x.change(&q)
		if a := c.Ask(t.Context(), q); a.Outcome != x.want || a.Why != x.why || len(a.Facts) > 0 {
			t.Errorf("%s: %s %s", name, a.Outcome, a.Why)
		}
	}
	if s.calls != 0 {
		t.Errorf("%d questions went out", s.calls)
	}
}

func TestRetriesAreFewAndNew(t *testing.T) {
	t.Parallel()
	s := &source{answer: func(n int, q exchange.QuestionDocument) (int, exchange.AnswerDocument) {
		return 200, reply(q, "busy", nil)
	}}
	var waits []time.Duration
	c := setup(t, s, func(c *exchange.Config) {
		c.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	})
	if a := c.Ask(t.Context(), question); a.Outcome != exchange.Unavailable || s.calls != 3 {
		t.Errorf("%s after %d calls", a.Outcome, s.calls)
	}
	if len(waits) != 2 || waits[0] < 100*time.Millisecond || waits[0] > 200*time.Millisecond || waits[1] < 150*time.Millisecond || waits[1] > 300*time.Millisecond {
		t.Errorf("%v", waits)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(s.nonces)))) != 3 {
		t.Errorf("a nonce was used twice: %v", s.nonces)
	}
	stop := setup(t, &source{answer: s.answer}, func(c *exchange.Config) {
		c.Sleep = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	})
	if a := stop.Ask(t.Context(), question); a.Outcome != exchange.Unavailable || a.Why != exchange.WhyStatus {
		t.Errorf("%s %s", a.Outcome, a.Why)
	}
}

// TestSickSourceRests: after five failures in a row a source is left alone, by
// our clock, and the others are not. Then one question goes first.
func TestSickSourceRests(t *testing.T) {
	t.Parallel()
	well, now := false, noon
	s := &source{answer: func(n int, q exchange.QuestionDocument) (int, exchange.AnswerDocument) {
		switch {
		case q.Source == "marriage":
			return 200, reply(q, "found", map[string]string{"status": "married"})
		case well:
			return 200, reply(q, "none", nil)
		}
		return 503, reply(q, "busy", nil)
	}}
	c := setup(t, s, func(c *exchange.Config) { c.Now = func() time.Time { return now } })
	asks := func(outcome exchange.Outcome, why string, calls int) {
		t.Helper()
		if a := c.Ask(t.Context(), question); a.Outcome != outcome || a.Why != why || s.calls != calls {
			t.Errorf("%s %s after %d calls", a.Outcome, a.Why, s.calls)
		}
	}
	c.Ask(t.Context(), question)
	asks(exchange.Unavailable, exchange.WhyBreaker, 5)
	now = now.Add(30*time.Second - 1)
	asks(exchange.Unavailable, exchange.WhyBreaker, 5)
	q := question
	q.Source = "marriage"
	if a := c.Ask(t.Context(), q); a.Outcome != exchange.HitClear {
		t.Errorf("another source: %s %s", a.Outcome, a.Why)
	}
	now = now.Add(1) // it may be asked once, and is still down
	asks(exchange.Unavailable, exchange.WhyBreaker, 7)
	now = now.Add(30 * time.Second)
	well = true
	asks(exchange.NoRecord, "", 8)
	asks(exchange.NoRecord, "", 9)
}

func TestOldKeyAndNewKey(t *testing.T) {
	t.Parallel()
	s := &source{answer: func(_ int, q exchange.QuestionDocument) (int, exchange.AnswerDocument) {
		return 200, reply(q, "none", nil)
	}}
	for name, x := range map[string]struct {
		keys map[string][]byte
		want exchange.Outcome
	}{
		"both":     {map[string][]byte{"w": clientKey, "x": answerKey}, exchange.NoRecord},
		"wrong_id": {map[string][]byte{"w": answerKey}, exchange.Unavailable},
		"ours":     {map[string][]byte{"x": clientKey}, exchange.Unavailable},
	} {
		c := setup(t, s, func(c *exchange.Config) { c.AnswerKeys = x.keys })
		if a := c.Ask(t.Context(), question); a.Outcome != x.want {
			t.Errorf("%s: %s %s", name, a.Outcome, a.Why)
		}
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]exchange.Outcome{
		-300 * time.Second: exchange.NoRecord, -301 * time.Second: exchange.Unavailable,
		72*time.Hour - time.Second: exchange.NoRecord, 72 * time.Hour: exchange.Expired,
	} {
		s := &source{answer: func(_ int, q exchange.QuestionDocument) (int, exchange.AnswerDocument) {
			a := reply(q, "none", nil)
			a.AsOf = noon.Add(-age).Format(time.RFC3339)
			return 200, a
		}}
		a := setup(t, s, nil).Ask(t.Context(), question)
		if a.Outcome != want || (want == exchange.NoRecord && !a.ValidUntil.Equal(noon.Add(72*time.Hour-age))) {
			t.Errorf("%v old: %s until %v", age, a.Outcome, a.ValidUntil)
		}
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	sources, err := exchange.Sources()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range sources {
		ids = append(ids, s.ID)
		if !strings.HasPrefix(s.LegalBasis, "社会救助法第") {
			t.Errorf("%s stands on %q", s.ID, s.LegalBasis)
		}
	}
	for _, need := range []string{"household", "death", "marriage", "low_income", "earlier_aid", "social_insurance", "unemployment", "near_relative"} {
		if !slices.Contains(ids, need) {
			t.Errorf("%s is missing", need)
		}
	}
	good, err := os.ReadFile("sources.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct{ from, to, problem string }{
		"unknown_key":               {`holder = "公安机关"`, "holder = \"公安机关\"\nendpoint = \"x\"", "unknown key"},
		"no_basis":                  {`legal_basis = "社会救助法第四十二条"`, ``, "low_income: id, name, holder"},
		"id_twice":                  {`id = "death"`, `id = "household"`, "used twice"},
		"path_twice":                {`path = "/death"`, `path = "/household"`, "used twice"},
		"deadline_below_one_try":    {`deadline = "15s"`, `deadline = "1s"`, "try <= deadline"},
		"no_freshness":              {`freshness = "72h"`, ``, "freshness"},
		"adverse_is_no_value":       {`adverse = ["cancelled"]`, `adverse = ["dead"]`, "adverse value is not a value"},
		"condition_on_nothing":      {`only_when = "kin=yes"`, `only_when = "cousin=yes"`, "only_when"},
		"condition_on_no_value":     {`only_when = "kin=yes"`, `only_when = "kin=maybe"`, "only_when"},
		"region_of_five_digits":     {`regions = ["120112",`, `regions = ["12011",`, "six digits"},
		"only_after_nothing":        {`only_after = {source = "low_income"`, `only_after = {source = "library"`, "only_after"},
		"only_after_no_value":       {`values = ["dibao", "tekun"]}`, `values = ["rich"]}`, "only_after"},
		"only_after_any_value":      {`, values = ["dibao", "tekun"]}`, `}`, "only_after"},
		"only_after_the_like":       {`only_after = {source = "low_income", fact = "class", values = ["dibao", "tekun"]}`, `only_after = {source = "vehicle", fact = "vehicle", values = ["car"]}`, "only_after"},
		"kind_nobody_knows":         {`kind = "count"`, `kind = "text"`, "known kind"},
		"enum_without_values":       {`values = ["married", "divorced", "widowed", "unmarried"]`, ``, "an enum needs them"},
		"fact_twice":                {`name = "cremation"`, `name = "month"`, "listed twice"},
		"value_of_the_wrong_form":   {`"married"`, `"Married!"`, "wrong form"},
		"not_toml":                  {`[[source]]`, `[[source`, "catalogue"},
		"deadline_beyond_a_minute":  {`deadline = "15s"`, `deadline = "61s"`, "1m"},
		"adverse_count_of_an_enum":  {`adverse = ["yes"]`, `adverse = ["1+"]`, "adverse value"},
		"facts_of_a_source_missing": {"[[source.fact]]\nname = \"status\"\nkind = \"enum\"\nvalues = [\"married\", \"divorced\", \"widowed\", \"unmarried\"]\nrequired = true", "", "no facts"},
	} {
		bad := strings.Replace(string(good), x.from, x.to, 1)
		if bad == string(good) {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := exchange.ParseSources([]byte(bad)); err == nil || !strings.Contains(err.Error(), x.problem) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := exchange.ParseSources(nil); err == nil {
		t.Error("an empty catalogue was accepted")
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*exchange.Config){
		"host": func(c *exchange.Config) { c.BaseURL = "x" }, "short_key": func(c *exchange.Config) { c.Key = c.Key[:31] },
		"short_answer_key": func(c *exchange.Config) { c.AnswerKeys = map[string][]byte{"x": []byte("short")} },
		"no_answer_keys":   func(c *exchange.Config) { c.AnswerKeys = nil }, "clock": func(c *exchange.Config) { c.Now = nil },
		"sleep": func(c *exchange.Config) { c.Sleep = nil }, "random": func(c *exchange.Config) { c.Random = nil },
	} {
		c := config("https://a.example")
		change(&c)
		if _, err := exchange.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if c, err := exchange.New(config("https://a.example")); err != nil || len(c.Sources()) != 15 {
		t.Errorf("%v", err)
	}
}

func TestNoRandomnessNoCall(t *testing.T) {
	t.Parallel()
	s := &source{}
	c := setup(t, s, func(c *exchange.Config) { c.Random = errReader{} })
	if a := c.Ask(t.Context(), question); a.Outcome != exchange.Unavailable || s.calls != 0 {
		t.Errorf("%s, %d calls", a.Outcome, s.calls)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

// carry answers in the place of the network.
type carry func(*http.Request) (*http.Response, error)

func (c carry) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// FuzzAnswer has a register answer anything, once unsigned and once signed: only
// what is signed and about the person asked for counts, and facts come with found.
func FuzzAnswer(f *testing.F) {
	good, err := json.Marshal(reply(exchange.QuestionDocument{Number: question.Number, Source: question.Source, Name: question.Name.Reveal(), IDNumber: question.ID.Reveal()}, "found", map[string]string{"died_on": "2026-01-01"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(200, good)
	f.Add(202, []byte(strings.Replace(string(good), "found", "pending", 1)))
	f.Add(403, []byte(strings.Replace(string(good), "found", "not_authorised", 1)))
	f.Add(200, []byte(`{"number":"n1","number":"n2"}`))
	f.Add(500, []byte("<html>"))
	// One client for all answers: reading the catalogue takes longer than any of them.
	// Time passes between two, so that a register that failed is asked again.
	var answer func(*http.Request) *http.Response
	c, now := config("http://exchange.invalid/x"), noon
	c.Now = func() time.Time { return now }
	c.HTTP = &http.Client{Transport: carry(func(r *http.Request) (*http.Response, error) { return answer(r), nil })}
	client, err := exchange.New(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		for _, signs := range []bool{false, true} {
			now = now.Add(time.Minute)
			answer = func(r *http.Request) *http.Response {
				h := http.Header{}
				if signs {
					h = exchange.Sign("x", answerKey, outside.AnswerKind(status), r.Method, r.URL.EscapedPath(), r.Header.Get(exchange.HeaderNonce), now, body)
				}
				return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), Request: r}
			}
			a := client.Ask(t.Context(), question)
			switch {
			case !signs && a.Outcome != exchange.Unavailable:
				t.Errorf("nobody signed this, and it says %s", a.Outcome)
			case !slices.Contains([]exchange.Outcome{exchange.HitClear, exchange.HitAdverse, exchange.Expired}, a.Outcome) && len(a.Facts) > 0:
				t.Errorf("%s with %d facts", a.Outcome, len(a.Facts))
			case a.Outcome == exchange.HitAdverse && !bytes.Contains(body, []byte("found")):
				t.Error("adverse, and nothing was found")
			}
		}
	})
}

// FuzzSources reads anything as a catalogue of registers: what is refused is refused in
// words, and of what is taken each register and fact is named once, is asked within its
// time, and looks only at facts and values that there are.
func FuzzSources(f *testing.F) {
	raw, err := os.ReadFile("sources.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	one := "[[source]]\nid = \"death\"\nname = \"n\"\nholder = \"h\"\npath = \"/d\"\nlegal_basis = \"b\"\nfreshness = \"24h\"\ntry = \"1s\"\ndeadline = \"2s\"\n" +
		"[[source.fact]]\nname = \"state\"\nkind = \"enum\"\nvalues = [\"a\", \"b\"]\nadverse = [\"a\"]\n"
	for _, text := range []string{one, one + one, strings.Replace(one, "24h", "-1h", 1), strings.Replace(one, `"a"]`, `"c"]`, 1), strings.Replace(one, "enum", "count", 1),
		one + "only_when = \"state=a\"\n", one + "only_when = \"gone\"\n", one[:60], "", "[[source]]\n", "source = 1\n", strings.Replace(one, "[[source.fact]]", "[source.only_after]\nsource = \"death\"\n[[source.fact]]", 1)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		sources, err := exchange.ParseSources(raw)
		if err != nil {
			if sources != nil || !strings.HasPrefix(err.Error(), "exchange: catalogue: ") {
				t.Errorf("%d registers and %v", len(sources), err)
			}
			return
		}
		seen := map[string]bool{}
		for _, s := range sources {
			if s.ID == "" || seen[s.ID] || s.Holder == "" || s.LegalBasis == "" || s.Try <= 0 || s.Deadline < s.Try || s.Freshness <= 0 || len(s.Facts) == 0 {
				t.Errorf("taken: %+v", s)
			}
			seen[s.ID] = true
			for _, fact := range s.Facts {
				if seen[s.ID+"."+fact.Name] || (fact.Kind == "enum") != (len(fact.Values) > 0) {
					t.Errorf("taken: %+v", fact)
				}
				seen[s.ID+"."+fact.Name] = true
			}
		}
		for _, s := range sources {
			if a := s.OnlyAfter; a.Source != "" && !seen[a.Source+"."+a.Fact] {
				t.Errorf("%s is asked after what nobody says: %+v", s.ID, a)
			}
		}
	})
}
