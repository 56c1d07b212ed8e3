package policy

import "github.com/doudi-aid/doudi/shared/money"

// Status says whether the responsible authority has confirmed a figure.
type Status string

// The statuses.
const (
	Confirmed   Status = "confirmed"
	Unconfirmed Status = "unconfirmed"
)

// ToBeConfirmed is the source of a figure that stands in until the authority
// gives the real one. A figure with this source cannot be confirmed.
const ToBeConfirmed = "待当地民政部门确认"

// figure is one figure of a file: a value, where it comes from, and whether the
// authority has confirmed it. Value is nil when the file leaves it out.
type figure[T any] struct {
	Value  *T     `yaml:"value"`
	Source string `yaml:"source"`
	Status Status `yaml:"status"`
	Note   string `yaml:"note"`
}

// origin is what can be asked of any figure.
func (f *figure[T]) origin() (value any, source string, status Status, note string) {
	if f.Value == nil {
		return nil, f.Source, f.Status, f.Note
	}
	return *f.Value, f.Source, f.Status, f.Note
}

// figures are the figures of a file. Amounts are in fen. A figure that a file
// leaves out comes from the file it inherits; one that is nowhere is a problem
// unless it is tagged optional. Files are stored for ever, so a key never
// changes its meaning: a new meaning is a new key.
type figures struct {
	// ApplyPlace is where one applies: EMERGENCY_PLACE (Law art. 37), HUKOU or
	// RESIDENCE.
	ApplyPlace *figure[string] `yaml:"apply_place"`
	FirstAid   struct {
		DecisionHours          *figure[int]       `yaml:"decision_hours"`           // from acceptance
		HoldHours              *figure[int]       `yaml:"hold_hours"`               // until a person has looked
		MaxAmountFen           *figure[money.Fen] `yaml:"max_amount_fen"`           // "small" in Law art. 50
		DraftMonths            *figure[int]       `yaml:"draft_months"`             // proposed when nobody says
		ExplanationWorkingDays *figure[int]       `yaml:"explanation_working_days"` // from the decision
		ExplanationKind        *figure[string]    `yaml:"explanation_kind"`         // EXPLAIN or FORMALITIES
		HoldOnAdverse          *figure[[]string]  `yaml:"hold_on_adverse"`          // sources, beside death and identity
		MustAnswer             *figure[[]string]  `yaml:"must_answer"`              // sources not to be paid without
	} `yaml:"first_aid"`
	Authority struct {
		TownshipCeiling *figure[ceiling] `yaml:"township_ceiling"`
		FileWithCounty  *figure[bool]    `yaml:"file_with_county"`
	} `yaml:"authority"`
	Amount struct {
		Mode            *figure[string]    `yaml:"mode"`             // FORMULA or TIERS
		MaxMonths       *figure[int]       `yaml:"max_months"`       // of living, in one award
		MaxMultiple     *figure[int]       `yaml:"max_multiple"`     // of the standard, per person
		SpecialMultiple *figure[int]       `yaml:"special_multiple"` // in special hardship
		AnnualCapFen    *figure[money.Fen] `yaml:"annual_cap_fen" need:"optional"`
		Tiers           *figure[[]tier]    `yaml:"tiers" need:"optional"` // for TIERS
	} `yaml:"amount"`
	Frequency struct {
		PerYear          *figure[int]    `yaml:"per_year"`
		SameCausePerYear *figure[int]    `yaml:"same_cause_per_year"`
		Window           *figure[string] `yaml:"window"`     // CALENDAR or ROLLING
		CountUnit        *figure[string] `yaml:"count_unit"` // PERSON or HOUSEHOLD
	} `yaml:"frequency"`
	Publicity struct {
		PreDays         *figure[int]    `yaml:"pre_days"`
		PreKind         *figure[string] `yaml:"pre_kind"` // NATURAL or WORKING
		SkipIfEmergency *figure[bool]   `yaml:"skip_if_emergency"`
		PostPublish     *figure[bool]   `yaml:"post_publish"`
		PostDays        *figure[int]    `yaml:"post_days" need:"optional"`      // that a decision stays posted
		NameEmergency   *figure[bool]   `yaml:"name_emergency" need:"optional"` // emergency aid is posted by (masked) name
		LeastCell       *figure[int]    `yaml:"least_cell" need:"optional"`     // persons below which nothing is told of a place
	} `yaml:"publicity"`
	Reserve struct {
		PerHeadFenYear  *figure[money.Fen] `yaml:"per_head_fen_year"`
		LowWaterPercent *figure[int]       `yaml:"low_water_percent"`
	} `yaml:"reserve"`
	Remedy struct {
		AppealWorkingDays   *figure[int] `yaml:"appeal_working_days"`
		ReconsiderationDays *figure[int] `yaml:"reconsideration_days"`
		LitigationMonths    *figure[int] `yaml:"litigation_months"`
	} `yaml:"remedy"`
	DibaoStandard    *figure[[]dibao]    `yaml:"dibao_standard"`
	StandingApproval *figure[standing]   `yaml:"standing_approval"`
	Materials        *figure[[]material] `yaml:"materials"`
}

// ceiling is what a township may decide by itself.
type ceiling struct {
	Kind   string `yaml:"kind"`   // FEN or DIBAO_MONTHS
	Amount int64  `yaml:"amount"` // fen, or months of the standard
	Basis  string `yaml:"basis"`  // CASE or PERSON
	// Inclusive must be stated: 以内 and 不超过 include the number, 低于 and 不足 do
	// not, and a file that leaves it out has not asked.
	Inclusive *bool `yaml:"inclusive"`
}

// tier is a fixed amount for classes and causes. "all" stands for every one and
// must be written out; an empty list is a problem.
type tier struct {
	Classes []string  `yaml:"classes"`
	Causes  []string  `yaml:"causes"`
	Per     string    `yaml:"per"` // CASE or PERSON
	Fen     money.Fen `yaml:"fen"`
}

// dibao is a monthly minimum living standard with its days.
type dibao struct {
	Kind string    `yaml:"kind"` // URBAN, RURAL or UNIFIED
	Fen  money.Fen `yaml:"fen"`
	From string    `yaml:"from"`
	To   string    `yaml:"to"` // last day; "" when it still runs
}

// standing are the limits of an envelope that two people may approve beforehand.
type standing struct {
	Enabled     bool      `yaml:"enabled"`
	Classes     []string  `yaml:"classes"`
	Causes      []string  `yaml:"causes"`
	PerAwardFen money.Fen `yaml:"per_award_fen"`
	TotalFen    money.Fen `yaml:"total_fen"`
	Days        int       `yaml:"days"`
}

// material is one thing that may be asked for, and the sources that answer it.
type material struct {
	Code       string   `yaml:"code"`
	Name       string   `yaml:"name"`
	Why        string   `yaml:"why"`
	Causes     []string `yaml:"causes"`
	AnsweredBy []string `yaml:"answered_by"`
}

// all is the word that stands for every class or cause.
const all = "all"

// FigureNote is one figure as a reader sees it.
type FigureNote struct {
	Name   string `json:"name"` // "first_aid.decision_hours"
	Value  string `json:"value"`
	Source string `json:"source"`
	Status Status `json:"status"`
	Note   string `json:"note,omitempty"`
}
