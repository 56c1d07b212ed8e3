package world

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/doudi-aid/doudi/shared/exchange"
)

// Scenario is a file that says what goes wrong. docs/scenarios.md describes it.
type Scenario struct {
	Title string `toml:"title"`
	Rules []Rule `toml:"rule"`
}

// Rule picks calls and says what happens to them. Empty selectors pick all.
type Rule struct {
	Service string `toml:"service"` // bank, wxpay, exchange, wechat or sms
	// Op is send, query, callback, statement, treasury or file (bank, whose files of
	// many payments have file_send, file_query, file_return and file_line; wxpay has
	// cancel and no treasury); a source id (exchange); code2session,
	// token or subscribe (wechat); send (sms).
	Op string `toml:"op"`
	// Person is a role ("deceased"), a region and role ("320400/deceased") or a name.
	Person string `toml:"person"`
	// Reference is a transfer's reference; Order the place at which the bank first
	// heard of it, from 1.
	Reference string `toml:"reference"`
	Order     int    `toml:"order"`
	// Nth are the picked calls that are affected, from 1; empty is every one. With
	// Each the count starts anew for every reference or person.
	Nth  []int `toml:"nth"`
	Each bool  `toml:"each"`

	Effect  string            `toml:"effect"`
	Status  int               `toml:"status"`
	Done    bool              `toml:"done"`
	After   time.Duration     `toml:"after"`
	Lie     string            `toml:"lie"`
	Errcode int               `toml:"errcode"`
	Code    string            `toml:"code"`
	Result  string            `toml:"result"`
	Facts   map[string]string `toml:"facts"`
	Times   int               `toml:"times"`
}

// effects are the effects, where each may stand and what it needs.
var effects = map[string]struct {
	services string   // of: bank exchange wechat sms
	ops      string   // the one it happens to; empty: all but callback; or any
	needs    []string // parameters that must be there
	may      []string // parameters that may be there
	plan     bool     // shapes what becomes of a transfer, beside what becomes of the call
}{
	"timeout_before": {services: "bank wxpay exchange wechat sms"},
	"timeout_after":  {services: "bank wxpay exchange wechat sms"},
	"cut_before":     {services: "bank wxpay exchange wechat sms"},
	"cut_after":      {services: "bank wxpay exchange wechat sms"},
	"status":         {services: "bank wxpay exchange wechat sms", needs: []string{"status"}, may: []string{"done"}},
	"delay":          {services: "bank wxpay exchange wechat sms", needs: []string{"after"}},
	"lie":            {services: "bank wxpay exchange wechat sms", ops: "any", needs: []string{"lie"}},
	"errcode":        {services: "wechat", needs: []string{"errcode"}},
	"code":           {services: "bank wxpay sms", ops: "send file_send", needs: []string{"code"}},
	"answer":         {services: "exchange", needs: []string{"result"}, may: []string{"facts"}},
	"fail":           {services: "bank wxpay", ops: "send file_line", needs: []string{"code"}, may: []string{"after"}, plan: true},
	"reject":         {services: "bank", ops: "file_send", needs: []string{"code"}, plan: true},
	"processing":     {services: "bank wxpay", ops: "send file_line", needs: []string{"after"}, may: []string{"code"}, plan: true},
	"return":         {services: "bank", ops: "send file_line", needs: []string{"after"}, may: []string{"code"}, plan: true},
	"repeat":         {services: "bank wxpay", ops: "callback", needs: []string{"times"}},
	"drop":           {services: "bank wxpay", ops: "callback"},
	"reorder":        {services: "bank wxpay", ops: "callback"},
	"late":           {services: "bank wxpay", ops: "callback", needs: []string{"after"}},
}

var ops = map[string][]string{
	"bank":   {"send", "query", "callback", "statement", "treasury", "file", "file_send", "file_query", "file_return", "file_line"},
	"wxpay":  {"send", "query", "cancel", "callback", "statement", "file"},
	"wechat": {"code2session", "token", "subscribe"},
	"sms":    {"send"},
}

// lies are the lies, by who can tell them.
var lies = map[string]string{
	"bad_signature":   "bank wxpay exchange",
	"probe_signature": "bank wxpay exchange",
	"no_signature":    "bank wxpay exchange",
	"stale_timestamp": "bank wxpay exchange",
	"old_answer":      "bank wxpay exchange",
	"wrong_amount":    "bank wxpay",
	"wrong_person":    "bank wxpay exchange",
	"other_reference": "bank wxpay exchange",
	"other_merchant":  "wxpay",
	"wrong_totals":    "bank",
	"bad_digest":      "bank",
	"cut_short":       "bank",
	"duplicate_line":  "bank",
	"strange_line":    "bank",
	"line_amount":     "bank",
	"line_payee":      "bank",
	"unknown_code":    "bank",
	"partial":         "bank",
	"other_file":      "bank",
	"contradiction":   "exchange",
	"unknown_fact":    "exchange",
	"future":          "exchange",
	"stale_data":      "exchange",
	"bad_charset":     "bank wxpay exchange",
	"garbage":         "bank wxpay exchange wechat sms",
	"endless_body":    "bank wxpay exchange wechat sms",
	"redirect":        "bank wxpay exchange wechat sms",
}

// statementLies are what is wrong with a day's statement, or with one line of it:
// that of Reference or Order, else the first.
var statementLies = []string{"omit", "alter", "duplicate", "unknown", "someone", "sent_back", "cut", "wrong_digest", "truncated", "other_merchant", "other_day", "fen"}

// returnLies are the lies of a return file itself.
var returnLies = []string{"wrong_totals", "bad_digest", "cut_short", "duplicate_line", "strange_line", "line_amount", "line_payee", "unknown_code", "partial", "other_file"}

// callbackLies are the lies that make sense in a message we receive.
var callbackLies = []string{"bad_signature", "probe_signature", "no_signature", "stale_timestamp", "wrong_amount", "wrong_person", "other_reference", "other_merchant", "garbage"}

// ParseScenario reads a scenario strictly and reports everything wrong with it.
func ParseScenario(raw []byte) (Scenario, error) {
	sources, err := registers()
	if err != nil {
		return Scenario{}, err
	}
	var s Scenario
	meta, err := toml.Decode(string(raw), &s)
	if err != nil {
		return Scenario{}, fmt.Errorf("world: scenario: %w", err)
	}
	var wrong []error
	for _, k := range meta.Undecoded() {
		wrong = append(wrong, fmt.Errorf("world: scenario: unknown key %s", k))
	}
	for i, r := range s.Rules {
		if r.Service == "exchange" && r.Op != "" && !slices.ContainsFunc(sources, func(s exchange.Source) bool { return s.ID == r.Op }) {
			wrong = append(wrong, fmt.Errorf("world: scenario: rule %d: exchange has no source %q", i+1, r.Op))
		}
		for _, p := range r.problems() {
			wrong = append(wrong, fmt.Errorf("world: scenario: rule %d: %s", i+1, p))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return Scenario{}, err
	}
	return s, nil
}

func (r Rule) problems() []string {
	var bad []string
	add := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if !slices.Contains([]string{"bank", "wxpay", "exchange", "wechat", "sms"}, r.Service) {
		add("service must be bank, wxpay, exchange, wechat or sms")
	}
	if known, ok := ops[r.Service]; ok && r.Op != "" && !slices.Contains(known, r.Op) {
		add("%s has no op %q", r.Service, r.Op)
	}
	if r.Service != "bank" && r.Service != "wxpay" && (r.Reference != "" || r.Order != 0) {
		add("only the bank and wxpay have references")
	}
	if r.Person != "" && r.Service != "bank" && r.Service != "exchange" {
		add("only the bank and the exchange know persons")
	}
	if r.Order < 0 || slices.ContainsFunc(r.Nth, func(n int) bool { return n < 1 }) {
		add("order and nth count from 1")
	}
	e, ok := effects[r.Effect]
	if !ok {
		add("unknown effect %q", r.Effect)
		return bad
	}
	if !slices.Contains(strings.Fields(e.services), r.Service) {
		add("%s does not happen to %s", r.Effect, r.Service)
	}
	switch {
	case e.ops == "" && r.Op == "callback":
		add("%s does not happen to a callback", r.Effect)
	case e.ops != "" && e.ops != "any" && !slices.Contains(strings.Fields(e.ops), r.Op):
		add("%s needs op = %q", r.Effect, e.ops)
	case r.Op == "file_line" && !e.plan:
		add("%s does not happen to a line of a file", r.Effect)
	}
	given := map[string]bool{"status": r.Status != 0, "done": r.Done, "after": r.After != 0, "lie": r.Lie != "", "errcode": r.Errcode != 0,
		"code": r.Code != "", "result": r.Result != "", "facts": len(r.Facts) > 0, "times": r.Times != 0}
	for name, is := range given {
		switch {
		case slices.Contains(e.needs, name) && !is:
			add("%s needs %s", r.Effect, name)
		case is && !slices.Contains(e.needs, name) && !slices.Contains(e.may, name):
			add("%s takes no %s", r.Effect, name)
		}
	}
	if r.Effect == "status" && (r.Status < 400 || r.Status > 599) {
		add("status must be 400 to 599")
	}
	if r.Effect == "answer" && !slices.Contains([]string{"found", "none", "mismatch", "pending", "busy", "not_authorised"}, r.Result) {
		add("unknown result %q", r.Result)
	}
	if about := r.Op == "statement" || r.Op == "treasury"; slices.Contains(statementLies, r.Lie) && (about || r.Lie != "other_merchant") {
		if !about {
			add("only a statement tells the lie %q", r.Lie)
		}
	} else if r.Lie != "" && !slices.Contains(strings.Fields(lies[r.Lie]), r.Service) {
		add("%s does not tell the lie %q", r.Service, r.Lie)
	}
	if r.Lie != "" && r.Op == "callback" && !slices.Contains(callbackLies, r.Lie) {
		add("a callback does not tell the lie %q", r.Lie)
	}
	if slices.Contains(returnLies, r.Lie) && (r.Op != "file_return" || len(r.Nth) > 0 || r.Each) {
		add("the lie %q needs op = \"file_return\", and is told every time", r.Lie)
	}
	if r.After < 0 || r.After > 400*24*time.Hour || r.Times < 0 || r.Times > 1000 {
		add("after or times out of range")
	}
	slices.Sort(bad)
	return bad
}

// callOf is what selectors look at.
type callOf struct {
	service, op string
	person      *Person
	reference   string
	order       int
}

func (c callOf) key() string {
	if c.reference != "" {
		return c.reference
	}
	if c.person != nil {
		return c.person.IDNumber
	}
	return ""
}

func (r Rule) picks(c callOf) bool {
	return r.Service == c.service && (r.Op == "" && c.op != "callback" || r.Op == c.op) &&
		(r.Reference == "" || r.Reference == c.reference) && (r.Order == 0 || r.Order == c.order) &&
		(r.Person == "" || c.person != nil && (r.Person == c.person.Role || r.Person == c.person.Region+"/"+c.person.Role || r.Person == c.person.Name))
}

// script is a loaded scenario and how often each rule has picked.
type script struct {
	Scenario
	counts []map[string]int
}

func newScript(s Scenario) *script {
	c := &script{Scenario: s, counts: make([]map[string]int, len(s.Rules))}
	for i := range c.counts {
		c.counts[i] = map[string]int{}
	}
	return c
}

// about is every lie that is told of a day's statement, in the order of the rules.
func (s *script) about(service, op, day string) []Rule {
	var told []Rule
	for i, r := range s.Rules {
		if r.Service != service || r.Op != op || !slices.Contains(statementLies, r.Lie) {
			continue
		}
		key := ""
		if r.Each {
			key = day
		}
		s.counts[i][key]++
		if len(r.Nth) == 0 || slices.Contains(r.Nth, s.counts[i][key]) {
			told = append(told, r)
		}
	}
	return told
}

// match is what happens to a call, and to its transfer: the first rule of each
// sort that applies. Every rule that picks the call counts it.
func (s *script) match(c callOf) (line, plan Rule) {
	for i, r := range s.Rules {
		if !r.picks(c) || slices.Contains(statementLies, r.Lie) && (r.Op == "statement" || r.Op == "treasury") {
			continue // what is wrong in a statement is no trouble of the line: see about
		}
		key := ""
		if r.Each {
			key = c.key()
		}
		s.counts[i][key]++
		if len(r.Nth) > 0 && !slices.Contains(r.Nth, s.counts[i][key]) {
			continue
		}
		if effects[r.Effect].plan {
			if plan.Effect == "" {
				plan = r
			}
		} else if line.Effect == "" {
			line = r
		}
	}
	return line, plan
}
