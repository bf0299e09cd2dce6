import Files
import Foundation
import Pictures
import Testing

@testable import Evaluation

/// Pictures of benchmarks in their layouts, with what was found in them.
@Suite struct BenchmarkScoringTests {
  private let files: BenchmarkFiles

  init() throws { files = try BenchmarkFiles() }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch {
      return "\(error)"
    }
  }

  private let all = [
    BenchmarkFiles.line("00000/samples/0000.png", "cow"),
    BenchmarkFiles.line("00000/samples/0001.png", "horse"),
    BenchmarkFiles.line("elsewhere/00001/samples/0000.png", "dog", color: "red"),
    BenchmarkFiles.line("00001/samples/0001.png", "dog", color: "blue"),
  ]

  @Test func genevalIsScored() throws {
    try files.geneval()
    try files.write(all.joined(), to: "detections.jsonl")
    let scores = try files.scoring(.geneval, "prompts.jsonl", count: 2).scores()
    #expect(scores.overall.value == 0.5 && scores.overall.count == 4 && scores.prompts == 2)
    #expect(scores.categories.map(\.name) == ["single_object", "colors"])
    #expect(scores.further.map(\.value) == [0.5, 1] && scores.judges == ["test"])
    #expect(scores.pictures.map(\.score) == [1, 0, 1, 0])
    #expect(scores.pictures[3].reason == "expected red dog>=1, found 0 red; and 1 blue")
    #expect(scores.pictures[2].found == "dog 0.95 red")
    // The published summary reads these lines.
    let results = try JSONLines("\(files.path)/results.jsonl").lines
    #expect(results.count == 4)
    let report = BenchmarkReport([scores])
    #expect(report.table.contains("overall") && report.table.contains("4 of 2 prompts"))
    let copy = try JSONDecoder().decode(
      BenchmarkScores.self, from: JSONEncoder().encode(scores))
    #expect(copy == scores)
  }

  @Test func missingAndExtraPicturesAreListed() throws {
    try files.geneval()
    try files.write(all.dropLast().joined(), to: "detections.jsonl")
    try FileManager.default.removeItem(
      atPath: files.path + "/pictures/00001/samples/0001.png")
    try files.picture("00007/samples/0000.png")
    let text = message { _ = try files.scoring(.geneval, "prompts.jsonl", count: 2) }
    #expect(text.contains("1 missing (00001, picture 2)"), "\(text)")
    #expect(text.contains("1 of no prompt (00007/samples/0000.png)"), "\(text)")
    let scores = try files.scoring(.geneval, "prompts.jsonl", count: 2, isPartial: true).scores()
    #expect(scores.pictures.count == 3 && scores.notes.count == 2, "\(scores.notes)")
  }

  @Test func findingsMustMatchThePictures() throws {
    try files.geneval()
    func text(_ lines: [String], isPartial: Bool = false) throws -> String {
      try files.write(lines.joined(), to: "detections.jsonl")
      return message {
        _ = try files.scoring(.geneval, "prompts.jsonl", count: 2, isPartial: isPartial).scores()
      }
    }
    #expect(
      message { _ = try files.scoring(.geneval, "prompts.jsonl", count: 2).scores() }
        .contains("have not been judged"))
    #expect(
      try text(Array(all.dropFirst())).contains(
        "no detections of 1 of 4 pictures (00000/samples/0000"))
    #expect(try text(Array(all.dropFirst()), isPartial: true) == "")
    let other = BenchmarkFiles.line("00009/samples/0000.png", "cow")
    #expect(try text(all + [other]).contains("names 1 picture that is not among"))
    #expect(try text(all + ["{]\n"]).contains("line 5: it is not JSON"))
    // The last line of a process that was killed may be cut.
    #expect(try text(all + ["{\"file\": \"0000"]) == "")
    let foreign = BenchmarkFiles.line("00000/samples/0000.png", "dragon")
    #expect(try text(all + [foreign]).contains("line 5: it has a \"dragon\""))
    let colorless = BenchmarkFiles.line("00001/samples/0000.png", "dog")
    #expect(try text(all + [colorless]).contains("line 5: a dog has no `color`"))
    #expect(try text(all + ["{}\n"]).contains("line 5: it has no `file`"))
  }

  @Test func picturesMustBeWholeAndOfOneSize() throws {
    try files.geneval()
    try files.write(all.joined(), to: "detections.jsonl")
    func text(_ size: [Int]? = nil) -> String {
      message { _ = try files.scoring(.geneval, "prompts.jsonl", count: 2, size: size) }
    }
    #expect(text([8, 8]) == "")
    #expect(text([16, 8]).contains("8 × 8 pixels, and 16 × 8 are expected"))
    let path = files.path + "/pictures/00001/samples/0000.png"
    let content = try Data(contentsOf: URL(fileURLWithPath: path))
    try content.dropLast(9).write(to: URL(fileURLWithPath: path))
    #expect(text().contains("00001/samples/0000.png cannot be scored: it is truncated"))
    try Data("text".utf8).write(to: URL(fileURLWithPath: path))
    #expect(text().contains("it is not a picture"))
    // Prompts of another version than those beside the pictures.
    try content.write(to: URL(fileURLWithPath: path))
    try files.write(
      #"{"tag": "colors", "include": [], "prompt": "a blue dog"}"#,
      to: "pictures/00001/metadata.jsonl")
    #expect(text().contains("line 2 is \"a red dog\"") && text().contains("\"a blue dog\""))
  }

  @Test func dpgIsScoredByCrops() throws {
    try files.write(
      """
      item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,question_natural_language
      a,A fox,,1,0,,,entity - whole (fox),Is there a fox?
      b,A cat,,1,0,,,entity - whole (cat),Is there a cat?
      b,A cat,,2,1,,,attribute - color (cat),Is it black?

      """, to: "questions.csv")
    for name in ["a.png", "b.png"] { try files.picture(name, width: 16, height: 16) }
    let crops = #"[{"1": "yes"}, {"1": "yes"}, {"1": "yes"}, {"1": "no"}]"#
    let others =
      #"[{"1": "yes", "2": "no"}, {"1": "no", "2": "yes"}, {"1": "yes", "2": "yes"}, {"1": "yes", "2": "yes"}]"#
    try files.write(
      "{\"file\": \"a.png\", \"crops\": \(crops)}\n{\"file\": \"b.png\", \"crops\": \(others)}\n",
      to: "answers.jsonl")
    let scoring = try files.scoring(.dpg, "questions.csv", count: 4, size: [8, 8])
    let scores = try scoring.scores()
    // The published reading has no question of a.
    #expect(scores.overall.value == 0.625 && scores.further[0].value == (0.75 + 0.625) / 2)
    #expect(scores.notes.contains { $0.contains("no score: a.png") })
    #expect(scores.pictures.count == 8 && scores.pictures[5].score == 0)
    #expect(scores.pictures[4].reason == "no: Is it black?" && scores.pictures[4].place == 0)
    #expect(try scoring.images(of: scoring.files[0]).count == 4)
    try files.write(
      "{\"file\": \"a.png\", \"crops\": [{\"1\": \"yes\"}]}\n{\"file\": \"b.png\", \"crops\": \(others)}\n",
      to: "answers.jsonl")
    #expect(message { _ = try scoring.scores() }.contains("line 1: it has the answers of 1 crops"))
  }

  @Test func geneval2IsScoredByAnswersAndByPublishedLists() throws {
    try files.write(
      #"""
      {"prompt": "two foxes", "atom_count": 3, "vqa_list": [["How many foxes are there?", "two"], ["Are there foxes?", "Yes"]], "skills": ["count", "object"]}
      {"prompt": "a red cat", "atom_count": 3, "vqa_list": [["Is the cat red?", "Yes"]], "skills": ["attribute"]}
      """#, to: "data.jsonl")
    try files.picture("x.png")
    try files.picture("y.png")
    try files.write(
      #"{"two foxes": "/made/elsewhere/y.png", "a red cat": "x.png"}"#,
      to: "pictures/image_paths.json")
    try files.write(
      #"""
      {"file": "y.png", "answers": [{"probability": 0.25, "first_token": "Two"}, {"probability": 1, "first_token": "no"}]}
      {"file": "x.png", "answers": [{"probability": 0.5, "first_token": "yes"}]}
      """# + "\n", to: "answers.jsonl")
    let scoring = try files.scoring(.geneval2, "data.jsonl", count: 1)
    let scores = try scoring.scores()
    #expect(scores.overall.value == 0.5 && scores.further.map(\.value) == [0.5625, 0.75])
    #expect(scores.categories.map(\.name) == ["object", "attribute", "count", "3 atoms"])
    #expect(scores.pictures[0].reason.contains("0.25 two: How many foxes"))
    let lists = try Data(contentsOf: URL(fileURLWithPath: files.path + "/score_lists.json"))
    #expect(try JSONDecoder().decode([[Double]].self, from: lists) == [[0.25, 1], [0.5]])
    #expect(!scores.notes.contains { $0.contains("Qwen3-VL-8B-Instruct") })
    let lines = try String(contentsOfFile: files.path + "/answers.jsonl", encoding: .utf8)
    for (judge, note) in [
      ("Qwen3-VL-8B 0123abcd", "is the published one"),
      ("Qwen2.5-VL 0123abcd", "is not Qwen3-VL-8B"),
    ] {
      let named = lines.replacing("{\"file\"", with: "{\"judge\": \"\(judge)\", \"file\"")
      let path = try files.write(named, to: "named.jsonl")
      let notes = try scoring.scores(findings: path).notes
      #expect(notes.contains { $0.contains(note) }, "\(notes)")
    }
    let again = try scoring.scores(findings: files.path + "/score_lists.json")
    #expect(again.overall == scores.overall && again.categories == scores.categories)
    let short = try files.write("[[0.25, 1]]", to: "short.json")
    #expect(
      message { _ = try scoring.scores(findings: short) }.contains("1 lists, and there are 2"))
  }

  /// A reader that always reads the same.
  private struct Reader: TextReader {
    let name = "reader"
    func text(in picture: RGBImage) throws -> String {
      picture.values[0] > 50 ? "OPEN now" : "shut"
    }
  }

  @Test func aJudgeLooksAtEachPictureOnce() throws {
    try files.write(
      #"{"category": "sign", "prompt": "a sign", "text": ["Open", "Now!"], "prompt_id": 3}"# + "\n",
      to: "text.jsonl")
    for sample in 1...2 { try files.picture("0003_\(sample).png") }
    let scoring = try files.scoring(.longText, "text.jsonl", count: 2)
    var looked = 0
    let judge = BenchmarkJudge.reader(Reader())
    let scores = try scoring.scores(judge: judge) { looked = $0 }
    #expect(looked == 2 && scores.overall.value == 1 && scores.judges == ["reader"])
    #expect(scores.categories.map(\.name) == ["sign"])
    // A changed picture is looked at again, after a line that was cut.
    try files.picture("0003_2.png", gray: 10)
    let path = files.path + "/texts.jsonl"
    let lines = try String(contentsOfFile: path, encoding: .utf8)
    try files.write(lines + "{\"file\": \"00", to: "texts.jsonl")
    looked = 0
    #expect(try scoring.scores(judge: judge) { looked = $0 }.overall.value == 0.5)
    #expect(looked == 1)
    #expect(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count == 3)
  }

  @Test func shippedPromptsAreThePublishedOnes() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").path
    let geneval = try BenchmarkSet(.geneval, "\(root)/\(Benchmark.geneval.shipped!)")
    #expect(geneval.items.count == 553)
    let tags = Dictionary(grouping: geneval.items, by: \.category).mapValues(\.count)
    #expect(tags["position"] == 100 && tags["counting"] == 80 && tags["colors"] == 94)
    for (name, folder) in [("text_prompts", "longtext"), ("text_prompts_zh", "longtext-zh")] {
      let set = try BenchmarkSet(.longText, "\(root)/Assets/benchmarks/longtext/\(name).jsonl")
      #expect(set.items.count == 160 && set.folderName == folder)
    }
  }

  @Test func gridsAreTakenApart() {
    let images = (0..<3).map {
      RGBImage(width: 2, height: 1, values: [UInt8](repeating: $0, count: 6))
    }
    let grid = RGBImage(grid: images)
    #expect(grid.width == 4 && grid.height == 2)
    #expect((0..<3).map { grid.gridPart($0, of: 3) } == images)
  }
}
