package expr
import ("testing";"strings";"time";"fmt";"context")
func TestZZ(t *testing.T) {
	in := worst(t)
	r := strings.Repeat
	for _, src := range []string{
		`[1]`+r(`.map(i,[i])`, 30)+`==[]`,
		`[1]`+r(`.map(i,[i])`, 29)+`.map(i,[`+r(`i,`,1700)+`i])==[]`,
		`[1]`+r(`.map(i,[i])`, 29)+`.map(i,`+r(`i==i||`,500)+`true)[0]`,
		`[1]`+r(`.map(i,[i])`, 29)+`.map(i,`+r(`i in[i]||`,300)+`true)[0]`,
		`[1]`+r(`.map(i,[i])`, 29)+`.map(i,`+r(`sets.equivalent([i],[i])||`,120)+`true)[0]`,
		`[1]`+r(`.map(i,[i])`, 29)+`.map(i,`+r(`[i].map(j,[j])==[]||`,150)+`true)[0]`,
		`[1]`+r(`.map(i,[i])`, 29)+`.map(i,`+r(`i[0]==[]||`,300)+`true)[0]`,
		r(`[`, 31)+r(`1,`, 1900)+`1`+r(`]`,31)+`==[]`,
		r(`([]==[]?[`, 24)+`1`+r(`]:[])`, 24)+`==[]`,
		r(`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]!=[]||`, 62)+`true`,
		r(`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]!=[]||`, 62)+`true`,
		r(`{[]:{[]:{[]:{[]:{[]:{[]:[]}}}}}}!={}||`, 105)+`true`,
		r(`[1].map(i,`, 30)+`1`+r(`)`, 30)+`==[]`,
		r(`[1].exists(i,`, 45)+`true`+r(`)`, 45),
		r(`[1].filter(i,true)==[1]&&`, 160)+`true`,
		r(`optional.of(1).optMap(i,i).hasValue()&&`, 104)+`true`,
		r(`request.path.split("/").map(p,p).size()==0||`, 92)+`true`,
		r(`[].map(i,i)==[]&&`, 240)+`true`,
		r(`a.b.c.d(1)||`, 340)+`true`,
		r(`dyn(1)+dyn(1)==dyn(1)||`, 175)+`true`,
		r(`identity.claims.a.b.c.d.e.f.g==1||`,118)+`true`,
		r(`-`,4000)+`1==1`, r(`!`,4000)+`true`, r(`a.`,2000)+`a`, r(`1+`,2000)+`1==1`, r(`(`,2000)+`1`+r(`)`,2000),
		`"`+r(`\\u00e9`,500)+`"==""`, r(`[[`,1000), r(`{`,4000), r(`a(`,1000), r(`a?`,1000), r(`"`,4000), r(`&&`,2000), r("\n",3000)+`a`, r(`x.y(`,1000), r(`.`,4000), r(`[1,`,1300), r(`x[?`,1300),
	} {
		s := time.Now(); p, err := Compile(Bool, src); d := time.Since(s)
		s = time.Now(); p, err = Compile(Bool, src); if x := time.Since(s); x < d { d = x }
		var e time.Duration
		if p != nil { ctx, c := context.WithTimeout(t.Context(), 5*time.Second); s = time.Now(); p.Bool(ctx, in); e = time.Since(s); c() }
		if d > 8*time.Millisecond || e > 20*time.Millisecond { fmt.Printf("compile %v eval %v %.60s… %d bytes %.100v\n", d, e, src, len(src), err) }
	}
}
