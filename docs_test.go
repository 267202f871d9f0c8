package keepsake_test

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A page is a document of the repository.
type page struct {
	path string
	text string // without code
	// commands are the code spans, and the lines of blocks that are shell.
	commands []string
	anchors  []string
}

var (
	span        = regexp.MustCompile("`([^`\n]+)`")
	link        = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading     = regexp.MustCompile(`^#+ (.*)`)
	declaration = regexp.MustCompile(`(?m)^(func|type|const|var)\b.*`)
	notSlug     = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// pages reads every document.
func pages(t *testing.T) (all []page) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "bin"):
			return filepath.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		all = append(all, readPage(t, name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: filepath.ToSlash(name)}
	block := ""
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	var text strings.Builder
	for lines.Scan() {
		line := lines.Text()
		switch language, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case fence && block == "":
			block = "shell"
			if language != "" && language != "sh" {
				block = language
			}
		case fence:
			block = ""
		case block == "shell":
			p.commands = append(p.commands, strings.Split(strings.TrimPrefix(line, "$ "), " && ")...)
		case block == "":
			if h := heading.FindStringSubmatch(line); h != nil {
				p.anchors = append(p.anchors, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
			}
			text.WriteString(line + "\n")
		}
	}
	p.text = text.String()
	for _, s := range span.FindAllStringSubmatch(p.text, -1) {
		p.commands = append(p.commands, s[1])
	}
	return p
}

// Every link of the documents leads somewhere.
func TestLinksOfTheDocuments(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		for _, l := range link.FindAllStringSubmatch(p.text, -1) {
			target, anchor, _ := strings.Cut(l[1], "#")
			if own, ok := strings.CutPrefix(target, "https://pkg.go.dev/"+module); ok {
				if !documents("./"+own, anchor) {
					t.Errorf("%s: %s documents nothing", p.path, l[1])
				}
				continue
			}
			if strings.Contains(target, ":") {
				continue
			}
			name := path.Join(path.Dir(p.path), target)
			if target == "" {
				name = p.path
			}
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %s is not there", p.path, l[1])
			}
			i := slices.IndexFunc(all, func(other page) bool { return other.path == name })
			if anchor != "" && (i < 0 || !slices.Contains(all[i].anchors, anchor)) {
				t.Errorf("%s: %s has no such heading", p.path, l[1])
			}
		}
	}
}

// documents reports whether a package has something exported of that name, T or T.M; or is there.
func documents(dir, name string) bool {
	if name == "" {
		return exec.Command("go", "list", dir).Run() == nil
	}
	out, err := exec.Command("go", "doc", dir, name).Output()
	method := strings.HasPrefix(declaration.FindString(string(out)), "func (")
	return err == nil && method == strings.Contains(name, ".")
}

// Every command that the documents name exists: targets of make, tests, programs.
func TestCommandsOfTheDocuments(t *testing.T) {
	targets, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	keepsake := buildCommand(t)
	for _, p := range pages(t) {
		for _, c := range p.commands {
			words := strings.Fields(c)
			if len(words) < 2 {
				continue
			}
			problem := ""
			switch words[0] + " " + words[1] {
			case "go test":
				problem = checkTest(t, words[2:])
			case "go run":
				problem = checkRun(t, keepsake, words[2:])
			default:
				switch words[0] {
				case "make":
					for _, target := range words[1:] {
						if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(targets) {
							problem = "make has no target " + target
						}
					}
				case "keepsake":
					problem = checkKeepsake(keepsake, words[1:])
				}
			}
			if problem != "" {
				t.Errorf("%s: %s: %s", p.path, c, problem)
			}
		}
	}
}

func buildCommand(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "keepsake")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/keepsake").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// testFlags are those of go test that the documents use, and whether they take a value. Others
// belong to the test, and what follows them does too.
var testFlags = map[string]bool{"-run": true, "-bench": true, "-benchtime": true, "-count": true, "-timeout": true, "-parallel": true, "-p": true, "-race": false, "-v": false}

func checkTest(t *testing.T, words []string) string {
	t.Helper()
	run, packages, own := "", []string{}, ""
	for i := 0; i < len(words); i++ {
		takes, known := testFlags[words[i]]
		switch {
		case !strings.HasPrefix(words[i], "-") && own != "":
			return "go test takes what follows " + own + " for an argument of the test: put the package before it"
		case !strings.HasPrefix(words[i], "-"):
			packages = append(packages, words[i])
		case !known:
			own = words[i]
		case takes && i+1 < len(words):
			i++
			if words[i-1] == "-run" || words[i-1] == "-bench" {
				run = strings.Trim(words[i], "'")
			}
		}
	}
	if len(packages) == 0 {
		return "" // in a directory that the text names
	}
	for _, pattern := range packages {
		if !hasTest(t, pattern, run) {
			return "no test " + run + " in " + pattern
		}
	}
	return ""
}

var testFunc = regexp.MustCompile(`(?m)^func ((Test|Benchmark|Fuzz|Example)\w*)\(`)

// hasTest reports whether there are tests of that pattern in a package, or below it.
func hasTest(t *testing.T, pattern, run string) bool {
	t.Helper()
	names, err := regexp.Compile(strings.Split(run, "/")[0])
	if err != nil {
		t.Fatal(err)
	}
	dir, below := strings.CutSuffix(pattern, "/...")
	return slices.ContainsFunc(testNames(t, dir, below), names.MatchString)
}

// testNames returns the names of the tests in a directory, or below it, too.
func testNames(t *testing.T, dir string, below bool) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != dir && (!below || d.Name() == "testdata" || d.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(name)
		for _, f := range testFunc.FindAllStringSubmatch(string(data), -1) {
			names = append(names, f[1])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return names
}

func checkRun(t *testing.T, keepsake string, words []string) string {
	t.Helper()
	if words[0] == "." {
		return "" // in a directory that the text names
	}
	here, _ := filepath.Glob(words[0] + "/*.go") // the pattern is good
	if inBench, _ := filepath.Glob("bench/" + words[0] + "/*.go"); len(here)+len(inBench) == 0 {
		return "there is no program " + words[0]
	}
	if words[0] == "./cmd/keepsake" {
		return checkKeepsake(keepsake, words[1:])
	}
	return ""
}

// checkKeepsake asks the command itself for what it can do.
func checkKeepsake(binary string, words []string) string {
	if len(words) == 0 || strings.HasPrefix(words[0], "-") || words[0] == "…" {
		return ""
	}
	help, err := exec.Command(binary, words[0], "--help").CombinedOutput()
	if err != nil {
		return "keepsake has no command " + words[0]
	}
	for _, inner := range regexp.MustCompile(`(?m)^  `+words[0]+` (\w+)`).FindAllStringSubmatch(string(help), -1) {
		more, _ := exec.Command(binary, words[0], inner[1], "--help").CombinedOutput() // one of them may be left out
		help = append(help, more...)
	}
	for _, w := range words[1:] {
		name, _, _ := strings.Cut(w, "=")
		if strings.HasPrefix(w, "--") && !strings.Contains(string(help), " "+name) {
			return "keepsake " + words[0] + " has no " + name
		}
	}
	return ""
}

// Every test that the documents name exists.
func TestTestsOfTheDocuments(t *testing.T) {
	names := testNames(t, ".", true)
	for _, p := range pages(t) {
		for _, c := range p.commands {
			for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(c, -1) {
				if !slices.ContainsFunc(names, func(one string) bool { return strings.HasPrefix(one, name) }) {
					t.Errorf("%s names %s, which there is not", p.path, name)
				}
			}
		}
	}
}
