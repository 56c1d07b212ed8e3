package policy

import (
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
)

// Cause is what happened. The words are stored and never change.
type Cause string

// The causes.
const (
	Fire            Cause = "fire"
	TrafficAccident Cause = "traffic_accident"
	SuddenIllness   Cause = "sudden_illness"
	Injury          Cause = "injury"
	Disaster        Cause = "disaster"
	JobLoss         Cause = "job_loss"
	DeathOfEarner   Cause = "death_of_earner"
	OtherCause      Cause = "other"
)

var causes = labels[Cause]{
	{Fire, "火灾"}, {TrafficAccident, "交通事故"}, {SuddenIllness, "突发重大疾病"}, {Injury, "意外伤害"},
	{Disaster, "自然灾害"}, {JobLoss, "失业断收"}, {DeathOfEarner, "家庭主要劳动力去世"}, {OtherCause, "其他突发困难"},
}

// Causes lists every cause in the order it is offered.
func Causes() []Cause { return causes.keys() }

// Chinese is the label of c, or "" for a cause that is not known.
func (c Cause) Chinese() string { return causes.label(c) }

// RecipientClass is a class of people whose hardship is already recognised (Law
// art. 13); others need not examine their means again (Law art. 42).
type RecipientClass string

// The classes.
const (
	Tekun            RecipientClass = "tekun"
	Dibao            RecipientClass = "dibao"
	NearDibao        RecipientClass = "near_dibao"
	RigidExpenditure RecipientClass = "rigid_expenditure"
	LowIncomeOther   RecipientClass = "low_income_other"
	NoClass          RecipientClass = "none"
)

var classes = labels[RecipientClass]{
	{Tekun, "特困人员"}, {Dibao, "最低生活保障家庭"}, {NearDibao, "最低生活保障边缘家庭"},
	{RigidExpenditure, "刚性支出困难家庭"}, {LowIncomeOther, "其他低收入人口"}, {NoClass, "未认定"},
}

// RecipientClasses lists every class.
func RecipientClasses() []RecipientClass { return classes.keys() }

// Chinese is the label of c, or "" for a class that is not known.
func (c RecipientClass) Chinese() string { return classes.label(c) }

// recognised reports whether Law art. 42 spares the class another examination.
func (c RecipientClass) recognised() bool {
	return c == Tekun || c == Dibao || c == NearDibao || c == RigidExpenditure
}

// Authority is who may decide.
type Authority string

// The authorities, from the lowest. Coordination is the meeting that settles a
// hard case by itself (一事一议).
const (
	Township     Authority = "township"
	County       Authority = "county"
	Coordination Authority = "coordination"
)

var authorities = labels[Authority]{
	{Township, "乡镇人民政府（街道办事处）"}, {County, "县级民政部门"}, {Coordination, "县级社会救助协调机制（一事一议）"},
}

// Chinese is the name of a, or "" for an authority that is not known.
func (a Authority) Chinese() string { return authorities.label(a) }

// rank orders authorities; an unknown one has rank −1.
func (a Authority) rank() int { return authorities.index(a) }

// CheckOutcome is what a source answered. Only HitAdverse, Mismatch and
// NoRecord are things that a source said; the last five are ways of having said
// nothing.
type CheckOutcome string

// The outcomes.
const (
	HitClear      CheckOutcome = "HIT_CLEAR"
	HitAdverse    CheckOutcome = "HIT_ADVERSE"
	NoRecord      CheckOutcome = "NO_RECORD"
	Mismatch      CheckOutcome = "MISMATCH"
	Unavailable   CheckOutcome = "UNAVAILABLE"
	Expired       CheckOutcome = "EXPIRED"
	NotAuthorised CheckOutcome = "NOT_AUTHORISED"
	Pending       CheckOutcome = "PENDING"
)

// Answered reports whether the source said something.
func (o CheckOutcome) Answered() bool {
	return o == HitClear || o == HitAdverse || o == NoRecord || o == Mismatch
}

// The sources that rules treat by name. Other sources may appear in Check too:
// an answer from a source that no rule names is written into the trace.
const (
	SourceIdentity          = "identity"           // name and number belong together; household register
	SourceDeath             = "death"              // deaths and cremations
	SourceMarriage          = "marriage"           // marriages
	SourceAssistance        = "assistance"         // dibao, tekun, near-dibao, rigid expenditure
	SourceReliefHistory     = "relief_history"     // temporary relief paid elsewhere
	SourceDisability        = "disability"         // disability certificates
	SourceSocialInsurance   = "social_insurance"   // contributions and pensions
	SourceUnemployment      = "unemployment"       // unemployment benefit
	SourceMedicalInsurance  = "medical_insurance"  // settlements of medical cost
	SourceRealEstate        = "real_estate"        // houses and land
	SourceVehicle           = "vehicle"            // cars and ships
	SourceBusiness          = "business"           // companies
	SourceTax               = "tax"                // taxes
	SourceHousingFund       = "housing_fund"       // housing provident fund
	SourceBank              = "bank"               // savings
	SourceNonbankPayment    = "nonbank_payment"    // payment accounts
	SourceSchool            = "school"             // school register
	SourceUnion             = "union"              // hardship file of the trade union
	SourceKin               = "kin"                // near-relative register of staff
	SourceFireRescue        = "fire_rescue"        // fire incidents
	SourceTrafficPolice     = "traffic_police"     // traffic accidents
	SourceEmergencyResponse = "emergency_response" // disasters
	SourcePublicPayroll     = "public_payroll"     // staff paid from public funds
	SourceAllowance         = "allowance"          // allowances paid from public funds
	SourceHouseholdMove     = "household_move"     // who joined a household, and since when
)

var sources = labels[string]{
	{SourceIdentity, "公安户籍"}, {SourceDeath, "死亡和殡葬登记"}, {SourceMarriage, "婚姻登记"},
	{SourceAssistance, "低保特困等救助名册"}, {SourceReliefHistory, "临时救助记录"}, {SourceDisability, "残疾人证"},
	{SourceSocialInsurance, "社会保险"}, {SourceUnemployment, "失业保险"}, {SourceMedicalInsurance, "医疗保障结算"},
	{SourceRealEstate, "不动产登记"}, {SourceVehicle, "车船登记"}, {SourceBusiness, "市场主体登记"}, {SourceTax, "税务"},
	{SourceHousingFund, "住房公积金"}, {SourceBank, "银行存款"}, {SourceNonbankPayment, "非银行支付机构"},
	{SourceSchool, "学籍"}, {SourceUnion, "工会困难职工档案"}, {SourceKin, "近亲属备案"},
	{SourceFireRescue, "消防救援"}, {SourceTrafficPolice, "公安交管"}, {SourceEmergencyResponse, "应急管理"},
	{SourcePublicPayroll, "财政供养"}, {SourceAllowance, "惠民惠农补贴"},
	{SourceHouseholdMove, "入户登记"},
}

// Sources lists every source that rules may name.
func Sources() []string { return sources.keys() }

// SourceChinese is the name of a source; one that no rule names is called so.
func SourceChinese(source string) string {
	if name := sources.label(source); name != "" {
		return name
	}
	return "其他核对来源"
}

// Check is what one source answered about one person. Source is one of Sources
// or another word without personal data; Fact is a short sentence in plain
// Chinese without personal data, for the trace.
type Check struct {
	Source  string       `json:"source"`
	Outcome CheckOutcome `json:"outcome"`
	Fact    string       `json:"fact,omitempty"`
}

// Earlier is an award that the same person or household already had.
type Earlier struct {
	Day       civil.Day `json:"day"`
	Cause     Cause     `json:"cause"`
	AmountFen money.Fen `json:"amount_fen"`
	AwardID   string    `json:"award_id"`
}

// Facts is all that a rule may see of a case. What is not here no rule and no
// score can reach: no gender, no ethnicity, no origin, no religion, no illness.
// Facts are stored with the decision, so that it can be worked out again.
type Facts struct {
	// Day is the day of application; the rules in force are those of that day.
	Day civil.Day `json:"day"`
	// Division is where the emergency happened (Law art. 37).
	Division civil.DivisionCode `json:"division"`
	Cause    Cause              `json:"cause"`
	// Persons is how many people need help, at least 1.
	Persons int `json:"persons"`
	// Months is for how many months of living; 0 lets the rules propose.
	Months int `json:"months,omitempty"`
	// AmountFen is an amount that somebody proposes; 0 lets the rules propose one.
	AmountFen money.Fen        `json:"amount_fen,omitempty"`
	Classes   []RecipientClass `json:"classes,omitempty"`
	Earlier   []Earlier        `json:"earlier,omitempty"`
	Checks    []Check          `json:"checks,omitempty"`
	// KinOfStaff is that a near relative works in the deciding office.
	KinOfStaff bool `json:"kin_of_staff,omitempty"`
	// SpecialHardship is that a person found hardship beyond the usual.
	SpecialHardship bool `json:"special_hardship,omitempty"`
}

// labels is a closed list of words with their Chinese, in order.
type labels[K comparable] []struct {
	key  K
	text string
}

func (l labels[K]) index(key K) int {
	for i, e := range l {
		if e.key == key {
			return i
		}
	}
	return -1
}

func (l labels[K]) label(key K) string {
	if i := l.index(key); i >= 0 {
		return l[i].text
	}
	return ""
}

func (l labels[K]) keys() []K {
	keys := make([]K, len(l))
	for i, e := range l {
		keys[i] = e.key
	}
	return keys
}
