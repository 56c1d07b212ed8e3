package apply

import (
	"context"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/card"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Choice is one thing to choose from.
type Choice struct {
	Code  string `json:"code"`
	Label string `json:"label"`
}

// Program is help that can be had in one region, in plain words.
type Program struct {
	Track   string `json:"track"`
	Name    string `json:"name"`
	Region  string `json:"region"` // code of the region whose rules these are
	Where   string `json:"where"`
	Who     string `json:"who"`
	HowMuch string `json:"how_much"`
	HowFast string `json:"how_fast"`
	HowTo   string `json:"how_to"`
	Article string `json:"article"`
	Source  string `json:"source"` // the region's own instrument
	Rules   string `json:"rules"`  // fingerprint
	Caveat  string `json:"provisional,omitempty"`
}

// AuthorisationOut is the text that people agree to, and its digest to send back.
type AuthorisationOut struct {
	Version string `json:"version"`
	Title   string `json:"title"`
	Text    string `json:"text"`
	SHA256  string `json:"sha256"`
}

// Programs is what help exists, and what an application form needs.
type Programs struct {
	Programs      []Program        `json:"programs"`
	Places        []Choice         `json:"places"` // what to choose from next, below ?place=
	Causes        []Choice         `json:"causes"`
	Relations     []Choice         `json:"relations"`
	Kinships      []Choice         `json:"member_relations"`
	Papers        []Choice         `json:"papers"`
	Authorisation AuthorisationOut `json:"authorisation"`
	Hotline       string           `json:"hotline"`
}

var relationLabels = map[application.Relation]string{
	application.Self: "本人", application.Household: "共同生活的家庭成员", application.Committee: "村（居）民委员会",
	application.Relative: "亲属代为申请", application.Outreach: "主动发现困难的工作人员",
}

var kinshipLabels = map[application.Kinship]string{
	application.Spouse: "配偶", application.Child: "子女", application.Parent: "父母", application.Sibling: "兄弟姐妹",
	application.Grandparent: "祖父母、外祖父母", application.Grandchild: "孙子女、外孙子女", application.OtherKin: "其他共同生活的人",
}

// programs says what help there is: everywhere, or at ?place=.
func (d Deps) programs(_ context.Context, c httpapi.Call[httpapi.None]) (Programs, error) {
	day := calendar.Today(d.Now())
	w := application.Authorisation()
	out := Programs{Programs: []Program{}, Places: []Choice{}, Hotline: card.Hotline,
		Authorisation: AuthorisationOut{w.Version, w.Title, w.Text, w.SHA256}}
	for _, cause := range policy.Causes() {
		out.Causes = append(out.Causes, Choice{string(cause), cause.Chinese()})
	}
	for _, r := range application.Relations() {
		out.Relations = append(out.Relations, Choice{string(r), relationLabels[r]})
	}
	for _, k := range application.Kinships() {
		out.Kinships = append(out.Kinships, Choice{string(k), kinshipLabels[k]})
	}
	for _, k := range civil.PaperKinds() {
		out.Papers = append(out.Papers, Choice{string(k), k.Chinese()})
	}
	var places []civil.DivisionCode
	if q := c.Query("place"); q != "" {
		place, err := civil.ParseDivision(q)
		if _, known := d.Tree.Find(place, day); err != nil || !known {
			return Programs{}, httpapi.ErrNoRoute
		}
		places = []civil.DivisionCode{place}
		for _, v := range d.Tree.Children(place, day) {
			out.Places = append(out.Places, Choice{string(v.Code), v.Name})
		}
	} else {
		places = d.Tree.Regions()
		for _, code := range places {
			out.Places = append(out.Places, Choice{string(code), d.names(code, day)})
		}
	}
	for _, place := range places {
		if rules, err := d.Book.Rules(place, day); err == nil {
			out.Programs = append(out.Programs, d.program(rules, place, day))
		}
	}
	return out, nil
}

// program puts a region's rules for one person into words.
func (d Deps) program(r *policy.Rules, place civil.DivisionCode, day civil.Day) Program {
	one := r.FirstAid(policy.Facts{Day: day, Division: place, Cause: policy.OtherCause, Persons: 1})
	from := day.Start(calendar.Zone)
	hours := int(r.DecisionDue(from).At.Sub(from) / time.Hour)
	p := Program{Track: string(application.Emergency), Name: "急难型临时救助（先行救助）", Region: string(r.Region()), Where: d.names(place, day),
		Who:     "因火灾、交通事故、意外伤害、突发重大疾病、失业断收等突发情况，基本生活暂时出现严重困难的人。不看户籍，在出事的地方申请。",
		HowMuch: fmt.Sprintf("一人一般约%s，先行救助最多%s；按人数和当地标准计算，可以先估算。", yuan(one.AmountFen), yuan(one.CeilingFen)),
		HowFast: fmt.Sprintf("受理后%d小时内作出决定，先发钱、后补充说明情况，不需要您补办手续。", hours),
		HowTo:   "在小程序填写姓名、证件号码和发生了什么就可以提交，不需要任何材料；也可以请村（居）委会、亲属代为申请，或拨打12345。",
		Article: "《社会救助法》第二十九条、第三十七条、第五十条", Source: r.LegalSource(), Rules: r.Fingerprint()}
	if one.Provisional {
		p.Caveat = "部分标准待当地民政部门确认，以实际决定为准。"
	}
	return p
}

// yuan writes whole yuan without the cents that nobody says aloud.
func yuan(f money.Fen) string {
	if f%100 == 0 {
		return fmt.Sprintf("%d元", f/100)
	}
	return f.Yuan() + "元"
}

// EstimateIn is a case without a person: nothing of it is kept.
type EstimateIn struct {
	Place   string   `json:"place" api:"required,max=20"`
	Cause   string   `json:"cause" api:"required,max=40"`
	Persons int64    `json:"persons" api:"required,min=1,max=30"`
	Months  int64    `json:"months" api:"min=1,max=12"`
	Classes []string `json:"classes" api:"max=5,each=40"`
}

// Estimate is what the rules make of it. It promises nothing and refuses nothing.
type Estimate struct {
	AmountFen  money.Fen     `json:"amount_fen"`
	Amount     string        `json:"amount"`
	CeilingFen money.Fen     `json:"ceiling_fen"`
	Persons    int           `json:"persons"`
	Months     int           `json:"months"`
	Authority  string        `json:"authority"`
	Trace      []policy.Step `json:"trace"`
	Rules      string        `json:"rules"`
	Unsettled  bool          `json:"provisional"`
	Note       string        `json:"note"`
}

func (d Deps) estimate(_ context.Context, c httpapi.Call[EstimateIn]) (Estimate, error) {
	now := d.Now()
	r := reader{today: calendar.Today(now)}
	var s application.Submission
	s.Day = r.today
	rules := d.place(&r, &s, c.Body.Place)
	f := policy.Facts{Day: s.Day, Division: s.Township, Cause: policy.Cause(c.Body.Cause), Persons: int(c.Body.Persons), Months: int(c.Body.Months)}
	if f.Cause.Chinese() == "" {
		r.fields.Add("/cause", "not-allowed", "请从列表中选择发生了什么事。")
	}
	for i, text := range c.Body.Classes {
		class := policy.RecipientClass(text)
		if class.Chinese() == "" {
			r.fields.Add(fmt.Sprintf("/classes/%d", i), "not-allowed", "请从列表中选择。")
		}
		f.Classes = append(f.Classes, class)
	}
	if err := r.fields.Err(); err != nil {
		return Estimate{}, err
	}
	o := rules.FirstAid(f)
	return Estimate{o.AmountFen, o.AmountFen.String(), o.CeilingFen, o.Persons, o.Months, o.Authority.Chinese(), o.Trace, o.Rules, o.Provisional,
		"这是按现行标准的估算，没有保存您的任何信息；实际金额由工作人员决定。"}, nil
}
