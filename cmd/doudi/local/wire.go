package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/functions/complain"
	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/functions/disclose"
	"github.com/doudi-aid/doudi/functions/discover"
	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/functions/notify"
	"github.com/doudi-aid/doudi/functions/oversee"
	"github.com/doudi-aid/doudi/functions/pay"
	"github.com/doudi-aid/doudi/functions/settle"
	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/functions/supervise"
	"github.com/doudi-aid/doudi/functions/verify"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/bankrail"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/sms"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// workers is how many messages of one queue are handled at once. Handlers mostly
// wait for somebody outside; what they may do at once to the bank is the bank
// line's own limit.
const workers = 128

// lanes are the queues of the template, as the local broker runs them.
func lanes(t *doudi.Template) map[string]queue.Queue {
	out := map[string]queue.Queue{}
	for _, f := range t.Functions {
		if f.Queue == "" {
			continue
		}
		q := t.Queues[f.Queue]
		out[f.Queue] = queue.Queue{Concurrency: workers, Timeout: f.Timeout, MaxReceives: q.MaxReceive}
	}
	return out
}

// outsideTimeout bounds one call to the world, above the clients' own deadlines.
const outsideTimeout = 15 * time.Second

// Templates are the subscription templates of the local world: what stands in
// which field.
func Templates() map[notice.Kind]notify.Template {
	out := map[notice.Kind]notify.Template{}
	for _, k := range notice.Kinds() {
		fields := map[string]string{"phrase1": "title", "thing2": "item", "thing3": "hint"}
		if k == notice.Paid || k == notice.Returned || k == notice.Confirm {
			fields["amount4"] = "amount"
		}
		out[k] = notify.Template{ID: "local-" + string(k), Fields: fields}
	}
	return out
}

// atOnce is how many requests one process works on at the same time. It is far
// more than two cores need, so that people on slow lines do not fill it.
const atOnce = 1024

// Keys are both ends of every line to the world, with our templates
// approved on both channels.
func Keys(seed string) world.Keys {
	keys := world.LocalKeys(seed)
	for kind, t := range Templates() {
		keys.Templates[string(kind)] = t.ID
		keys.SMSTemplates[string(kind)] = "10" + t.ID
	}
	return keys
}

// openWorld opens the stand-in world with the templates that we send.
func (s *System) openWorld(o Options, keys world.Keys) error {
	var scenario world.Scenario
	if o.Scenario != "" {
		raw, err := os.ReadFile(o.Scenario)
		if err != nil {
			return fmt.Errorf("scenario: %w", err)
		}
		if scenario, err = world.ParseScenario(raw); err != nil {
			return fmt.Errorf("scenario %s: %w", o.Scenario, err)
		}
	}
	dir := ""
	if o.Data != "" && !o.ForgetfulWorld {
		dir = filepath.Join(o.Data, "world")
	}
	var err error
	s.world, err = world.New(world.Options{Dir: dir, Keys: keys, Seed: keys.WeChatSecret, Now: s.now, Scenario: scenario,
		CallbackURL: s.URL + "/v1/callbacks/bank", AdoptStrangers: true, Log: s.log, Rate: o.BankRate, PayDelay: o.PayDelay, AsyncDelay: o.AsyncDelay})
	if err == nil {
		s.closers = append(s.closers, s.world.Close)
	}
	return err
}

// stepUp lets a newcomer play all day; a deployed stack asks sooner.
const stepUp = 8 * time.Hour

// wire gives every function its dependencies and mounts it where the template
// says: routes on one handler, queues on the broker.
func (s *System) wire(t *doudi.Template, keys world.Keys, o Options) (http.Handler, error) {
	hc := &http.Client{Timeout: outsideTimeout, Transport: telemetry.Carry(&http.Transport{Proxy: nil, MaxIdleConnsPerHost: 64})}
	s.closers = append(s.closers, func() error { hc.CloseIdleConnections(); return nil })
	random := rand.Reader
	line, err1 := bank.New(keys.BankConfig(s.WorldURL, hc, s.now, random))
	registers, err2 := exchange.New(keys.ExchangeConfig(s.WorldURL, hc, s.now, random))
	wechat, err3 := wxapp.New(keys.WeChatConfig(s.WorldURL, hc, s.now))
	text, err4 := sms.New(keys.SMSConfig(s.WorldURL, hc, s.now))
	papers, err5 := s.openDocuments(o)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	// The bank counts real seconds, also where a test's clock stands still.
	rails := rail.Of(bankrail.Paced(line, s.Table, cmp.Or(o.BankRate, world.DefaultRate), time.Now, passing))
	merchant, wallet, err := s.addWallets(rails, o, keys, hc)
	if err != nil {
		return nil, err
	}
	models, err := model.Shipped()
	if err != nil {
		return nil, err
	}
	office := s.office(keys)
	fetch := map[string]settle.Fetch{reconciliation.Bank: settle.FromBank(line, bank.Payouts), reconciliation.Treasury: settle.FromBank(line, bank.Treasury)}
	if wallet != nil {
		fetch[reconciliation.WxPay] = settle.FromWxPay(wallet)
		office.Sources = append(office.Sources, reconciliation.WxPaySource(keys.WxPay().MchID))
	}
	s.sources = office.Sources
	watching := oversee.Deps{Table: s.Table, Tree: s.Tree, Now: s.now, Metrics: s.metrics,
		Folder: &indicator.Folder{Table: s.Table, Tree: s.Tree, Log: s.Evidence.Log}}
	files, err := s.fileRail(o, line)
	if err != nil {
		return nil, err
	}
	routes := slices.Concat(
		signin.Routes(signin.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Sessions: s.sessions, WeChat: wechat, AppID: keys.WeChatAppID,
			Staff: localStaff{s}, Now: s.now}),
		apply.Routes(apply.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Book, Tree: s.Tree, Documents: papers, Evidence: s.Evidence, Now: s.now,
			Templates: templateIDs()}),
		decide.Routes(decide.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Book, Tree: s.Tree, IDs: s.ids, Now: s.now, Models: models,
			Wallets: s.wallets(o), Files: s.files(o), Cash: decide.CashLimits{CaseFen: CashCaseFen, DayFen: CashDayFen}, StepUp: stepUp, Metrics: s.metrics, Office: office}),
		discover.Routes(discover.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Book, Tree: s.Tree, Now: s.now}),
		oversee.Routes(watching),
		complain.Routes(complain.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Complaints, Tree: s.Tree, Documents: papers, IDs: s.ids, Now: s.now}),
		supervise.Routes(supervise.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Tree: s.Tree, Random: random, Now: s.now}),
		settle.Routes(settle.Deps{Table: s.Table, Rails: rails, Box: s.Box, Blind: s.Blind, Merchant: merchant, Now: s.now, Metrics: s.metrics, Log: s.log}),
		log.Routes(s.logDeps),
		disclose.Routes(s.discloseDeps()),
	)
	if err := sameRoutes(t, routes); err != nil {
		return nil, err
	}
	aid := firstaid.Office{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Book, Wallets: s.wallets(o), Files: s.in(o.Batch), Models: models, Tree: s.Tree}
	handlers := map[string]queue.Handler{
		"verify": verify.Handle(verify.Deps{Table: s.Table, Box: s.Box, Blind: s.Blind, Book: s.Book, Registers: registers, Now: s.now, Log: s.log, Later: s.queues,
			Models: models, Tree: s.Tree,
			Kin: func(ctx context.Context, people []string) ([]string, error) { return staff.KinOf(ctx, s.Table, people) },
			Release: func(ctx context.Context, id string) (bool, error) {
				return envelope.Release(ctx, aid, s.calendar, id, s.now())
			}}),
		"pay":     pay.Handle(pay.Deps{Table: s.Table, Box: s.Box, Rails: rails, Files: files, Now: s.now, Metrics: s.metrics, Log: s.log, Models: models, Tree: s.Tree}),
		"settle":  settle.Handle(settle.Deps{Table: s.Table, Rails: rails, Files: files, Box: s.Box, Office: &office, Fetch: fetch, Now: s.now, Metrics: s.metrics, Log: s.log}),
		"oversee": oversee.Fold(watching),
		"notify": notify.Handle(notify.Deps{Table: s.Table, Box: s.Box, Now: s.now, Metrics: s.metrics, Channels: map[notice.Channel]notify.Sender{
			notice.WeChat: notify.WeChat{Client: wechat, Table: s.Table, Templates: Templates(), Page: "pages/case/case?id=", Log: s.log},
			notice.SMS:    notify.SMS{Client: text, Log: s.log}}}),
	}
	for name, f := range t.Functions {
		if f.Queue == "" {
			continue
		}
		h, ok := handlers[name]
		if !ok {
			return nil, fmt.Errorf("template: function %s has a queue and no handler here", name)
		}
		if err := s.broker.Handle(f.Queue, h); err != nil {
			return nil, err
		}
	}
	return httpapi.New(httpapi.Config{Sessions: s.sessions, Now: s.now, IDs: s.ids, Logger: s.log, Metrics: s.metrics, Watch: watch.Over(s.Table, s.now),
		Limiter: httpapi.NewMemoryLimiter(o.Limits, s.now), AtOnce: atOnce}, routes...), nil
}

func templateIDs() []string {
	var ids []string
	for _, t := range Templates() {
		ids = append(ids, t.ID)
	}
	slices.Sort(ids)
	return ids
}

// region is where lines go that name no payment of anybody's: one bank serves all
// regions of a laptop.
const region civil.DivisionCode = "320400000000"

// office holds statements against our books.
func (s *System) office(keys world.Keys) reconciliation.Office {
	return reconciliation.Office{Table: s.Table, Box: s.Box, Region: region, Now: s.now, Sources: reconciliation.Sources{
		reconciliation.BankSource(keys.Agreement, reconciliation.Yuan),
		reconciliation.TreasurySource(world.TreasuryHolder, reconciliation.Yuan)}}
}

// openDocuments opens where evidence is kept.
func (s *System) openDocuments(o Options) (document.Store, error) {
	data := o.Data
	if data == "" {
		dir, err := os.MkdirTemp("", "doudi-documents-")
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
		data = dir
	}
	papers, err := document.OpenDirectory(filepath.Join(data, "documents"), s.Box)
	if err != nil {
		return nil, err
	}
	return under[document.Store](o.Under.Documents, papers), nil
}

// sameRoutes refuses to start when the code and the template disagree.
func sameRoutes(t *doudi.Template, routes []httpapi.Route) error {
	var written, coded []string
	for _, f := range t.Functions {
		for _, r := range f.Routes {
			written = append(written, r.String())
		}
	}
	for _, r := range routes {
		coded = append(coded, r.Pattern)
	}
	var problems []error
	for _, w := range written {
		if !slices.Contains(coded, w) {
			problems = append(problems, fmt.Errorf("template.yaml has %q, which no function answers", w))
		}
	}
	for _, c := range coded {
		if !slices.Contains(written, c) {
			problems = append(problems, fmt.Errorf("%q is not in template.yaml", c))
		}
	}
	return errors.Join(problems...)
}
