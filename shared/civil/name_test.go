package civil

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want, code string }{
		"two":                     {in: "张明", want: "张明"},
		"spaces_around":           {in: "　张明 ", want: "张明"},
		"extension_b":             {in: "𠮷野", want: "𠮷野"},
		"extension_newer_than_go": {in: "王\U00031350\U000323B0", want: "王\U00031350\U000323B0"},
		"compatibility_ideograph": {in: "\uF9DC", want: "隆"},
		"zero_as_character":       {in: "刘〇", want: "刘〇"},
		"bullet":                  {in: "阿卜杜•热合曼", want: "阿卜杜·热合曼"},
		"katakana_dot":            {in: "阿卜杜・热合曼", want: "阿卜杜·热合曼"},
		"full_stop_between":       {in: "阿卜杜.热合曼", want: "阿卜杜·热合曼"},
		"wide_full_stop":          {in: "阿卜杜．热合曼", want: "阿卜杜·热合曼"},
		"full_stop_before_latin":  {in: "张.A", want: "张.A"},
		"full_stop_after_latin":   {in: "A.张明", want: "A.张明"},
		"full_stop_at_end":        {in: "张明.", want: "张明."},
		"full_stop_at_start":      {in: ".张明", code: "name_edge"},
		"latin":                   {in: "Mary  Anne O’Neil-Smith", want: "Mary Anne O'Neil-Smith"},
		"latin_initial":           {in: "J. Smith Jr.", want: "J. Smith Jr."},
		"decomposed_accent":       {in: "Rene\u0301", want: "René"},
		"wide_latin":              {in: "ＬＩ Ｍｉｎｇ", want: "LI Ming"},
		"wide_latin_ends":         {in: "Ａｚ Ｚａ", want: "Az Za"},
		"wide_at_next_to_latin":   {in: "张＠", code: "name_symbol"},
		"wide_brace_after_latin":  {in: "张｛", code: "name_symbol"},
		"last_of_plane_3":         {in: "王\U0003FFFD", want: "王\U0003FFFD"},
		"noncharacter_of_plane_3": {in: "王\U0003FFFE", code: "name_symbol"},
		"empty":                   {code: "required"},
		"blank":                   {in: " \u3000\t", code: "required"},
		"digit":                   {in: "张3", code: "name_digit"},
		"wide_digit":              {in: "张３", code: "name_digit"},
		"emoji":                   {in: "张😀", code: "name_symbol"},
		"formula":                 {in: "=张明", code: "name_symbol"},
		"plus":                    {in: "+张明", code: "name_symbol"},
		"at":                      {in: "@张明", code: "name_symbol"},
		"minus":                   {in: "-张明", code: "name_edge"},
		"dot_at_end":              {in: "阿卜杜·", code: "name_edge"},
		"wide_minus":              {in: "－张明", code: "name_edge"},
		"zero_width":              {in: "张\u200B明", code: "name_invisible"},
		"right_to_left":           {in: "张\u202E明", code: "name_invisible"},
		"null":                    {in: "张\x00明", code: "name_invisible"},
		"private_use":             {in: "张\uE000", code: "name_private"},
		"cyrillic_homoglyph":      {in: "Аnna", code: "name_script"},
		"broken_utf8":             {in: "张\xff", code: "name_symbol"},
		"radical_is_no_character": {in: "⺮明", code: "name_symbol"},
		"longest":                 {in: strings.Repeat("张", 60), want: strings.Repeat("张", 60)},
		"too_long":                {in: strings.Repeat("张", 61), code: "name_length"},
	} {
		n, err := ParseName(tc.in)
		if code(err) != tc.code || n.Reveal() != tc.want {
			t.Errorf("%s: %q, %v", name, n.Reveal(), err)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"equal":          {"张明", "张明", true},
		"dot_left_out":   {"阿卜杜·热合曼", "阿卜杜热合曼", true},
		"case_and_space": {"LI Ming", "li ming", true},
		"other":          {"张明", "张朋", false},
		"nobody":         {"", "", false},
	} {
		if Same(StoredName(tc.a), StoredName(tc.b)) != tc.want {
			t.Errorf("%s", name)
		}
	}
}

func TestNameMasked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"张明": "张*", "张小明": "张*明", "欧阳小明": "欧**明", "阿卜杜·热合曼": "阿*****曼", "李": "*", "Mary Smith": "M***", "": "", "𠮷野家": "𠮷*家"} {
		if got := StoredName(in).Masked(); got != want {
			t.Errorf("%q is %q", in, got)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"张明", "阿卜杜•热合曼", "=1+1", "\u202E", "Rene\u0301", "𠮷", "a.b", "张.明", "'", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			if code(err) == "" || !n.Empty() {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		out := n.Reveal()
		if !utf8.ValidString(out) || !norm.NFC.IsNormalString(out) || strings.ContainsAny(out[:1], "=+-@\t\r '.") || strings.ContainsAny(out, "0123456789\n,\"") {
			t.Fatalf("%q became %q", s, out)
		}
		if again, err := ParseName(out); err != nil || again != n {
			t.Fatalf("%q became %q, then %q, %v", s, out, again.Reveal(), err)
		}
	})
}
