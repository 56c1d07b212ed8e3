package world

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/exchange"
)

// Person is somebody who does not exist: every given name begins with 测
// (test), every identity number has a sequence of 900 or more, every account
// begins with 629999 and every telephone number with 1990. They are in the
// clear because there is nobody to protect.
type Person struct {
	Role     string `json:"role"`
	Story    string `json:"story"`
	Region   string `json:"region"`
	Name     string `json:"name"`
	IDNumber string `json:"id_number"`
	Phone    string `json:"phone"`
	Account  string `json:"account"`
	// Code signs the person in.
	Code     string `json:"code"`
	Township string `json:"township"`
	Village  string `json:"village"`
	Place    string `json:"place"` // the two in words
	// Household is shared by the people who live together.
	Household string `json:"household"`
	Relation  string `json:"relation"` // to the head
	// Registered is the name in the registers when it differs from Name, Holder the
	// name at the bank when it differs.
	Registered string `json:"registered_name,omitempty"`
	Holder     string `json:"account_holder,omitempty"`
	// AccountState is "" or the bank code with which a payment fails, AccountReturns
	// a code with which it comes back after having been paid.
	AccountState   string `json:"account_state,omitempty"`
	AccountReturns string `json:"account_returns,omitempty"`
	// Registers is what each source says, by source id.
	Registers map[string]Register `json:"registers"`
}

// Register is one source's entry for one person.
type Register struct {
	Result string            `json:"result"` // found or none
	Facts  map[string]string `json:"facts,omitempty"`
}

// region is a place that people of the world live in.
type region struct {
	code     string // as in sign-in and staff ids
	county   string // of identity numbers
	township string
	surnames string
}

var regions = []region{
	{"320400", "320402", "320402005000", "王李张刘陈杨赵黄周吴徐孙"},
	{"511700", "511702", "511702001000", "胡朱高林何郭马罗梁宋郑谢"},
	{"120112", "120112", "120112103000", "韩唐冯于董萧程曹袁邓许傅"},
}

// Regions are the codes of the regions the world has people in.
func Regions() []string {
	out := make([]string, len(regions))
	for i, r := range regions {
		out[i] = r.code
	}
	return out
}

func regionIndex(code string) (int, bool) {
	i := slices.IndexFunc(regions, func(r region) bool { return r.code == code })
	return i, i >= 0
}

// given are the second characters of given names; 测 is the first.
const given = "安宁康平顺和乐福瑞祥明亮文华春秋松柏梅兰竹菊山川江河海云"

// person makes one from their number in a region; cast members have the first
// hundred numbers and everybody made later follows.
func (w *World) person(reg, number int, born time.Time, role, story string) Person {
	r := regions[reg]
	names, last := []rune(given), []rune(r.surnames)
	name := string(last[number%len(last)]) + "测" + string(names[(number/len(last)+number)%len(names)])
	if extra := number / (len(last) * len(names)); extra > 0 {
		name += string(names[extra%len(names)])
	}
	// The cast has sequences of its own, or somebody made later could be born on
	// the same day and get the same number.
	sequence := 900 + number/14600
	if number < castSize {
		sequence = 940 + number%50
	}
	id := r.county + born.Format("20060102") + fmt.Sprintf("%03d", sequence)
	villages := w.villages(reg)
	village := villages[number%len(villages)]
	p := Person{
		Role: role, Story: story, Region: r.code, Name: name, IDNumber: id + idCheck(id),
		Phone:   fmt.Sprintf("1990%d%06d", reg+1, number%1000000),
		Account: luhn(fmt.Sprintf("629999%d%011d", reg+1, number)),
		Code:    fmt.Sprintf("wx:%s-%s-%d", name, r.code, number), Township: r.township, Village: string(village.Code),
		Place:     w.townshipName(reg) + village.Name,
		Household: fmt.Sprintf("%s-%05d", r.code, number), Relation: "本人",
	}
	p.Registers = map[string]Register{
		"household":        {"found", map[string]string{"registration": "registered", "member_count": "1", "registered_division": string(village.Code)}},
		"death":            {"found", map[string]string{"deceased": "no"}},
		"marriage":         {"found", map[string]string{"status": "unmarried"}},
		"low_income":       {"found", map[string]string{"class": "none"}},
		"earlier_aid":      {"found", map[string]string{"times_this_year": "0"}},
		"social_insurance": {"found", map[string]string{"pension": "resident", "paying": "no", "income_band": "none"}},
		"unemployment":     {"found", map[string]string{"benefit": "none", "registered_unemployed": "no"}},
		"near_relative":    {"found", map[string]string{"kin": "no"}},

		"public_payroll":     {"found", map[string]string{"on_payroll": "no"}},
		"allowance":          {"found", map[string]string{"elderly_allowance": "none", "tekun_support": "none", "unemployed_relief": "none"}},
		"medical_settlement": {"found", map[string]string{"settled": "no"}},
		"real_estate":        {"found", map[string]string{"homes": "one"}},
		"vehicle":            {"found", map[string]string{"vehicle": "none"}},
		"business":           {"found", map[string]string{"owner": "none"}},
		"household_move":     {"found", map[string]string{"kinship": "near"}},
	}
	return p
}

// say changes what one register says.
func (p *Person) say(source string, facts ...string) {
	r := p.Registers[source]
	for i := 0; i+1 < len(facts); i += 2 {
		r.Facts[facts[i]] = facts[i+1]
	}
	p.Registers[source] = r
}

// birthday spreads people over the years so that no identity number comes twice.
func birthday(number int) time.Time {
	return time.Date(1962, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, number%14600)
}

// villages are where people of a region live.
func (w *World) villages(reg int) []division.Division {
	day := civil.DayOf(w.now(), time.UTC)
	tree := division.Shipped()
	if found := tree.Children(civil.DivisionCode(regions[reg].township), day); len(found) > 0 {
		return found
	}
	town, _ := tree.Find(civil.DivisionCode(regions[reg].township), day)
	return []division.Division{town}
}

func (w *World) townshipName(reg int) string {
	town, _ := division.Shipped().Find(civil.DivisionCode(regions[reg].township), civil.DayOf(w.now(), time.UTC))
	return town.Name
}

// cast is the people with stories, the same in every run.
func (w *World) cast(reg int) []Person {
	r := regions[reg]
	n := 0
	next := func(role, story string) Person {
		n++
		return w.person(reg, n, birthday(n*397), role, story)
	}
	var out []Person
	add := func(p Person) { out = append(out, p) }

	add(next("plain", "普通群众，遇到急难，各项登记都正常。"))

	p := next("deceased", "登记已去世并火化，有人以他的名义申请；银行也知道他去世。")
	p.say("death", "deceased", "yes", "month", "2026-03", "cremation", "yes")
	p.say("household", "registration", "cancelled")
	p.AccountState = "PAYEE_DECEASED"
	add(p)

	p = next("wrong_name", "自己写的名字与户籍登记的名字不同。")
	p.Registered = p.Name[:len(p.Name)-3] + "曾"
	add(p)

	p = next("wrong_payee", "银行账户登记在别人名下，付款会因户名不符失败。")
	p.Holder = "别测人"
	add(p)

	p = next("closed_account", "银行账户已销户。")
	p.AccountState = "ACCOUNT_CLOSED"
	add(p)

	p = next("returned_later", "付款到账以后又被退回（退票）。")
	p.AccountReturns = "ACCOUNT_FROZEN"
	add(p)

	head := next("dibao", "低保家庭的户主，一家三口。")
	spouse := next("dibao_spouse", "低保家庭户主的配偶。")
	child := next("dibao_child", "低保家庭的孩子，未成年。")
	child.IDNumber = r.county + "20160215" + "911"
	child.IDNumber += idCheck(child.IDNumber)
	spouse.Relation, child.Relation = "配偶", "子女"
	for _, m := range []*Person{&head, &spouse, &child} {
		m.Household, m.Village, m.Place = head.Household, head.Village, head.Place
		m.say("household", "member_count", "3", "registered_division", head.Village)
		m.say("low_income", "class", "dibao", "since", "2024-05")
	}
	head.say("marriage", "status", "married")
	spouse.say("marriage", "status", "married")
	add(head)
	add(spouse)
	add(child)

	p = next("tekun", "特困供养人员。")
	p.say("low_income", "class", "tekun", "since", "2021-09")
	add(p)

	p = next("kin_of_clerk", "经办人 clerk-1 的近亲属，已备案。")
	p.say("near_relative", "kin", "yes", "staff", r.code+"-clerk-1")
	add(p)

	p = next("helped_before", "今年已在别处得到过一次临时救助。")
	p.say("earlier_aid", "times_this_year", "1", "last_month", "2026-06", "last_division", regions[(reg+1)%len(regions)].township, "last_cause", "illness")
	add(p)

	p = next("migrant", "户籍在外地，在这里打工时遇到急难。")
	p.say("household", "registered_division", regions[(reg+1)%len(regions)].township)
	add(p)

	p = next("unemployed", "已登记失业，不符合领取失业保险金条件。")
	p.say("unemployment", "benefit", "not_eligible", "registered_unemployed", "yes")
	add(p)

	p = next("well_paid", "有工作，收入高于平均水平。")
	p.say("social_insurance", "pension", "employee", "paying", "yes", "income_band", "above_average")
	add(p)

	p = next("unregistered", "户籍登记里查不到这个人。")
	p.Registers["household"] = Register{Result: "none"}
	add(p)

	lastMonth := w.now().AddDate(0, -1, 0).Format("2006-01")
	p = next("aided_elsewhere", "上个月在别处因火灾得到过临时救助。")
	p.say("earlier_aid", "times_this_year", "1", "last_month", lastMonth, "last_division", regions[(reg+1)%len(regions)].township, "last_cause", "fire")
	add(p)

	p = next("on_payroll", "在编教师，由财政发工资。")
	p.say("public_payroll", "on_payroll", "yes")
	p.say("social_insurance", "pension", "employee", "paying", "yes", "income_band", "up_to_average")
	add(p)

	p = next("two_schemes", "低保名册里有他，特困供养也在发。")
	p.say("low_income", "class", "dibao", "since", "2024-05")
	p.say("allowance", "tekun_support", "paying")
	add(p)

	p = next("young_pensioner", "不到年龄就在领尊老金。")
	p.say("allowance", "elderly_allowance", "paying")
	add(p)

	p = w.person(reg, n+1, time.Date(1942, 3, 7, 0, 0, 0, 0, time.UTC), "moved_pensioner", "已迁出本地，尊老金还在发。")
	n++
	p.say("allowance", "elderly_allowance", "paying")
	p.say("household", "registration", "moved_out")
	add(p)

	p = w.person(reg, n+1, time.Date(1941, 6, 19, 0, 0, 0, 0, time.UTC), "pensioner", "本地高龄老人，按规定领尊老金。")
	n++
	p.say("allowance", "elderly_allowance", "paying")
	add(p)

	p = next("patient", "突发脑梗住院，医疗保障已结算两张票据。")
	p.say("medical_settlement", "settled", "yes", "invoices", "FP"+r.code+"0001 FP"+r.code+"0002", "diagnoses", "I63.9 I10")
	add(p)

	p = next("false_patient", "没有就医记录，拿着一张票据。")
	add(p)

	p = next("dibao_with_car", "在领低保，名下有小汽车和两处房产。")
	p.say("low_income", "class", "dibao", "since", "2024-05")
	p.say("vehicle", "vehicle", "car")
	p.say("real_estate", "homes", "more")
	add(p)

	p = next("dibao_with_stall", "在领低保，自住一处房，骑三轮车摆摊。")
	p.say("low_income", "class", "dibao", "since", "2024-05")
	p.say("vehicle", "vehicle", "light")
	p.say("business", "owner", "self_employed")
	add(p)

	p = next("joined_household", "上个月把户口迁到领低保的远亲名下，一起领低保。")
	p.say("low_income", "class", "dibao", "since", lastMonth)
	p.say("household", "member_count", "3")
	p.say("household_move", "kinship", "other", "since", lastMonth)
	add(p)

	p = next("daughter_in_law", "多年前嫁入领低保的家庭，户口随之迁入。")
	p.say("low_income", "class", "dibao", "since", "2021-03")
	p.say("household", "member_count", "4")
	p.say("marriage", "status", "married")
	add(p)

	return out
}

// castSize leaves room for more cast members without moving anybody's number.
const castSize = 100

// idCheck is the check character of GB 11643 for 17 digits.
func idCheck(first string) string {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(first[i]-'0') * w
	}
	return string("10X98765432"[sum%11])
}

// luhn adds the check digit.
func luhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + strconv.Itoa((10-sum%10)%10)
}

// Add makes a fresh ordinary person of a region and registers them everywhere.
func (w *World) Add(region string) (Person, error) {
	reg, ok := regionIndex(region)
	if !ok {
		return Person{}, fmt.Errorf("world: no region %q", region)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	number := castSize + w.made[reg]
	p := w.person(reg, number, birthday(number), "fresh", "普通群众，刚刚登记。")
	if err := w.journal.append(record{Person: &p}); err != nil {
		return Person{}, err
	}
	w.remember(p)
	return p, nil
}

// adopt takes in a person nobody made: whoever types a valid number into the
// local system is an ordinary person of the first region.
func (w *World) adopt(q exchange.QuestionDocument) (*Person, error) {
	p := w.person(0, 0, birthday(0), "stranger", "本地演示中自行填写的人。")
	p.Name, p.IDNumber, p.Phone, p.Account, p.Code = q.Name, q.IDNumber, "", "", ""
	p.Household = "stranger-" + hexOf(derive(w.options.Seed, q.IDNumber))[:12]
	if err := w.journal.append(record{Person: &p}); err != nil {
		return nil, err
	}
	w.remember(p)
	return w.byID[p.IDNumber], nil
}

// remember puts a person in the indexes; w.mu is held.
func (w *World) remember(p Person) {
	if p.Role == "fresh" {
		if reg, ok := regionIndex(p.Region); ok {
			w.made[reg]++
		}
	}
	w.people = append(w.people, &p)
	w.byID[p.IDNumber] = &p
	if p.Account != "" {
		w.byAccount[p.Account] = &p
	}
}

// People lists everybody of a region, or of all for "".
func (w *World) People(region string) []Person {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Person{}
	for _, p := range w.people {
		if region == "" || p.Region == region {
			out = append(out, *p)
		}
	}
	return out
}

// Cast is the person of a region with a role.
func (w *World) Cast(region, role string) (Person, bool) {
	for _, p := range w.People(region) {
		if p.Role == role {
			return p, true
		}
	}
	return Person{}, false
}

func sameName(a, b string) bool { return civil.Same(civil.StoredName(a), civil.StoredName(b)) }

// registered is the name under which the registers know p.
func (p *Person) registered() string {
	if p.Registered != "" {
		return p.Registered
	}
	return p.Name
}

// holder is the name under which the bank knows p.
func (p *Person) holder() string {
	if p.Holder != "" {
		return p.Holder
	}
	return p.Name
}

// mask keeps the ends of a number.
func mask(s string) string {
	if len(s) <= 7 {
		return strings.Repeat("*", len(s))
	}
	return s[:3] + strings.Repeat("*", len(s)-7) + s[len(s)-4:]
}
