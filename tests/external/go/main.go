// Render a chat template as Ollama does: go run . TEMPLATE < conversations.json
//
// Reads a JSON list of conversations, each a list of {"role", "content"}, and writes a JSON list of {"text", "error"}.
// What Ollama does is in https://github.com/ollama/ollama/blob/main/template/template.go: neighbours of one role become
// one message, the texts of all system messages are also .System, and missing keys are empty.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type result struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

func main() {
	source, err := os.ReadFile(os.Args[1])
	check(err)
	parsed, err := template.New("").Option("missingkey=zero").Funcs(template.FuncMap{"json": asJSON}).Parse(string(source))
	check(err)
	var conversations [][]message
	check(json.NewDecoder(os.Stdin).Decode(&conversations))
	results := []result{}
	for _, conversation := range conversations {
		results = append(results, render(parsed, conversation))
	}
	check(json.NewEncoder(os.Stdout).Encode(results))
}

func render(parsed *template.Template, conversation []message) result {
	var text strings.Builder
	err := parsed.Execute(&text, map[string]any{
		"System":   systemOf(conversation),
		"Messages": merged(conversation),
		"Tools":    []any(nil),
		"Response": "",
	})
	if err != nil {
		return result{Error: err.Error()}
	}
	return result{Text: text.String()}
}

func systemOf(conversation []message) string {
	var texts []string
	for _, m := range conversation {
		if m.Role == "system" {
			texts = append(texts, m.Content)
		}
	}
	return strings.Join(texts, "\n\n")
}

func merged(conversation []message) []*message {
	var turns []*message
	for _, m := range conversation {
		m := m
		if n := len(turns); n > 0 && turns[n-1].Role == m.Role && m.Role != "tool" {
			turns[n-1].Content += "\n\n" + m.Content
		} else {
			turns = append(turns, &m)
		}
	}
	return turns
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	check(err)
	return string(text)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
