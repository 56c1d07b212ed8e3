// Package demo plays one real emergency case against a running system, over
// HTTP and nothing else: a person applies, the registers are asked, two
// officers decide, the bank pays, the person confirms. It believes only what
// the bank's own book says.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Options are what a demo needs to know.
type Options struct {
	URL     string        // of the API
	Bank    string        // of the stand-in world; "" to ask the API for it
	Region  string        // 6 digits
	Wallet  bool          // paid into the WeChat wallet, which the person accepts
	Patient time.Duration // how long the server may be away before the demo gives up
	Out     io.Writer
	HTTP    *http.Client
}

// player is one demo under way.
type player struct {
	Options
	start time.Time
	run   string // makes this demo's idempotency keys its own
	world string
}

// Run plays one case. It is nil only when the bank's book shows the money once.
func Run(ctx context.Context, o Options) error {
	p := &player{Options: o, start: time.Now(), run: runID()}
	if err := p.findWorld(ctx); err != nil {
		return err
	}
	who, err := p.newPerson(ctx)
	if err != nil {
		return err
	}
	citizen, err := p.signIn(ctx, "/v1/sessions", who.Code)
	if err != nil {
		return err
	}
	p.step("居民", "%s（替身人物）在%s登录小程序", who.Name, who.Place)
	id, err := p.apply(ctx, citizen, who)
	if err != nil {
		return err
	}
	if err := p.awaitFindings(ctx, citizen, id); err != nil {
		return err
	}
	if err := p.decide(ctx, id); err != nil {
		return err
	}
	if p.Wallet {
		if err := p.collect(ctx, who, citizen, id); err != nil {
			return err
		}
	}
	card, err := p.awaitMoney(ctx, citizen, id)
	if err != nil {
		return err
	}
	if err := p.confirm(ctx, citizen, id, card); err != nil {
		return err
	}
	if err := p.explain(ctx, id); err != nil {
		return err
	}
	if card, err = p.card(ctx, citizen, id); err != nil {
		return err
	}
	p.show(card)
	if p.Wallet {
		return nil // seen in the wallet already
	}
	return p.checkBook(ctx, who, card)
}

func runID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// step prints one line with the time since the start.
func (p *player) step(who, format string, args ...any) {
	fmt.Fprintf(p.Out, "%7.2fs  %s  %s\n", time.Since(p.start).Seconds(), pad(who), fmt.Sprintf(format, args...))
}

// pad fills a short Chinese word to three characters' width.
func pad(who string) string {
	for n := len([]rune(who)); n < 3; n++ {
		who += "　"
	}
	return who
}

func (p *player) client(base string) *client {
	return &client{base: base, http: p.HTTP, patient: p.Patient, away: func() {
		p.step("…", "服务器暂时没有回应，等它回来（同一个请求会原样再发，不会重复办理）")
	}}
}

func (p *player) findWorld(ctx context.Context) error {
	var here struct {
		World string `json:"world"`
	}
	if p.world = p.Bank; p.world != "" {
		return nil
	}
	c := p.client(p.URL)
	c.patient = min(p.Patient, 5*time.Second)
	err := c.do(ctx, http.MethodGet, "/local", "", nil, &here)
	if _, answered := errors.AsType[problem](err); answered || (err == nil && here.World == "") {
		return errors.New("这个系统没有替身世界，演示只能对 doudi up 运行")
	}
	if err != nil {
		return fmt.Errorf("%w。请先在另一个终端执行 make up", err)
	}
	p.world = here.World
	return nil
}

// person is somebody of the stand-in world, who does not exist.
type person struct {
	Name     string `json:"name"`
	IDNumber string `json:"id_number"`
	Phone    string `json:"phone"`
	Account  string `json:"account"`
	Code     string `json:"code"`
	Township string `json:"township"`
	Village  string `json:"village"`
	Place    string `json:"place"` // township and village in words
}

func (p *player) newPerson(ctx context.Context) (person, error) {
	var who person
	err := p.client(p.world).do(ctx, http.MethodPost, "/world/people", "", map[string]string{"region": p.Region}, &who)
	return who, err
}

func (p *player) signIn(ctx context.Context, path, code string) (*client, error) {
	var s struct {
		Token string `json:"token"`
	}
	c := p.client(p.URL)
	body := map[string]string{"code": code}
	if path == "/v1/staff/sessions" {
		body["region"] = p.Region
	}
	if err := c.do(ctx, http.MethodPost, path, "", body, &s); err != nil {
		return nil, fmt.Errorf("登录 %s：%w", code, err)
	}
	c.token = s.Token
	return c, nil
}

func (p *player) key(step string) string { return "demo-" + p.run + "-" + step }

// every polls until done is true, the context ends or the demo's patience does.
func (p *player) every(ctx context.Context, what string, done func() (bool, error)) error {
	deadline := time.Now().Add(p.Patient)
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("等了 %s 还没有%s", p.Patient, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// checkBook asks the bank, not us, what it paid.
func (p *player) checkBook(ctx context.Context, who person, c card) error {
	var book struct {
		Entries []struct {
			AmountFen int64  `json:"amount_fen"`
			Status    string `json:"status"`
		} `json:"entries"`
	}
	if err := p.client(p.world).do(ctx, http.MethodGet, "/world/bank/book?account="+url.QueryEscape(who.Account), "", nil, &book); err != nil {
		return err
	}
	paid := 0
	for _, e := range book.Entries {
		if e.Status == "paid" {
			paid++
			if e.AmountFen != c.Payments[0].AwardedFen {
				return fmt.Errorf("银行账上是 %d 分，决定的是 %d 分", e.AmountFen, c.Payments[0].AwardedFen)
			}
		}
	}
	if paid != 1 {
		return fmt.Errorf("银行账上这笔救助金出现了 %d 次，应为 1 次", paid)
	}
	p.step("银行", "账上有且只有一笔，金额与决定一致")
	return nil
}
