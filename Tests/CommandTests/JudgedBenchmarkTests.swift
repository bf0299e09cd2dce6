import Evaluation
import Foundation
import Pictures
import TestSupport
import Testing

/// `twinflow score` and `twinflow evaluate --benchmark` with networks that judge, small ones with random weights.
@Suite struct JudgedBenchmarkTests {
  private let folder: TemporaryFolder
  private var pictures: String { folder.path + "/pictures" }
  private var out: String { folder.path + "/out" }

  init() throws { folder = try TemporaryFolder() }

  /// Writes a picture, each seed another one.
  private func picture(_ name: String, seed: Int, side: Int = 16) throws {
    let path = "\(pictures)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    let values = (0..<side * side * 3).map { UInt8(truncatingIfNeeded: $0 * (7 + 5 * seed) / 3) }
    try Picture(width: side, height: side, channels: 3, values: values).write(to: path)
  }

  /// A run of the program on the pictures of a benchmark.
  private func arguments(_ benchmark: String, _ prompts: String, _ more: [String]) -> [String] {
    [
      "score", pictures, "--benchmark", benchmark, "--prompts", prompts, "--out", out, "--name",
      "mine", "--samples-per-prompt", benchmark == "dpg" ? "4" : "1",
    ] + more
  }

  private func score(
    _ benchmark: String, _ prompts: String, _ more: [String]
  ) throws -> Command.Result {
    try Command.start(arguments(benchmark, prompts, more)).finish()
  }

  /// A file of a run.
  private func read(_ benchmark: String, _ name: String) throws -> String {
    try String(contentsOfFile: "\(out)/\(benchmark)/mine/\(name)", encoding: .utf8)
  }

  /// The lines of findings by their pictures, as JSON.
  private func lines(_ text: String) throws -> [String: [String: Any]] {
    let all = try text.split(separator: "\n").map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
    return try Dictionary(
      all.map { (try #require($0["file"] as? String), $0) }, uniquingKeysWith: { $1 })
  }

  private func report(_ folder: String? = nil) throws -> BenchmarkReport {
    try JSONDecoder().decode(
      BenchmarkReport.self, from: Data(contentsOf: URL(filePath: "\(folder ?? out)/report.json")))
  }

  /// Two prompts of GenEval, one of them for a color, with a picture each.
  private func geneval() throws -> String {
    for number in 0..<2 { try picture("0000\(number)/samples/0000.png", seed: number) }
    return try folder.file(
      "geneval.jsonl",
      #"{"tag": "colors", "include": [{"class": "cat", "count": 1, "color": "red"}], "prompt": "a red cat"}"#
        + "\n"
        + #"{"tag": "single_object", "include": [{"class": "cat", "count": 1}], "prompt": "a cat"}"#
        + "\n")
  }

  /// Prompts of GenEval 2 with two questions each, and a picture of each.
  private func geneval2(_ count: Int) throws -> String {
    var paths: [String: String] = [:]
    for number in 0..<count {
      try picture("0000\(number).png", seed: number)
      paths["\(number) cats"] = "0000\(number).png"
    }
    try JSONEncoder().encode(paths).write(to: URL(filePath: "\(pictures)/image_paths.json"))
    return try folder.file(
      "geneval2.jsonl",
      (0..<count).map { number in
        #"{"prompt": "\#(number) cats", "atom_count": 3, "vqa_list": [["How many cats?", "two"], "#
          + #"["Are there any cats?", "Yes"]], "skills": ["count", "object"]}"# + "\n"
      }.joined())
  }

  @Test func detectorAndCLIPJudgeGenEval() throws {
    let prompts = try geneval()
    let (detector, clip) = (folder.path + "/detector", folder.path + "/clip")
    try SmallJudges.writeDetector(detector)
    try SmallJudges.writeCLIP(clip)
    let networks = ["--detector", detector, "--clip", clip]
    let first = try score("geneval", prompts, networks)
    #expect(first.status == 0, "\(first.errors)")
    let found = try read("geneval", "detections.jsonl")
    let all = try lines(found)
    #expect(all.count == 2 && found.split(separator: "\n").count == 2)
    let name = try #require(all["00000/samples/0000.png"]?["judge"] as? String)
    #expect(name.wholeMatch(of: /Mask2Former [0-9a-f]{8}, CLIP [0-9a-f]{8}/) != nil, "\(name)")
    for (number, hasColors) in [true, false].enumerated() {
      let objects = try #require(
        all["0000\(number)/samples/0000.png"]?["detections"] as? [[String: Any]])
      let cats = objects.filter { $0["class"] as? String == "cat" }
      #expect(!cats.isEmpty, "\(objects)")
      for cat in cats {
        #expect((cat["color"] != nil) == hasColors)
        let score = try #require(cat["score"] as? Double)
        #expect(score > 0.3 && score <= 1 && (cat["box"] as? [Double])?.count == 4)
      }
    }
    let scores = try #require(report().runs.first)
    #expect(scores.judges == [name] && scores.pictures.count == 2)
    let page = try String(contentsOfFile: "\(out)/report.html", encoding: .utf8)
    #expect(page.contains("judged by \(name)") && page.contains("data:image/jpeg;base64,"))
    #expect(first.output.contains("GenEval") && first.output.contains("mine"))

    // A changed picture is looked at again, and only that one.
    try picture("00001/samples/0000.png", seed: 9)
    let again = try score("geneval", prompts, networks)
    #expect(again.status == 0, "\(again.errors)")
    let after = try read("geneval", "detections.jsonl")
    #expect(after.hasPrefix(found) && after.split(separator: "\n").count == 3)
    #expect(
      try lines(after)["00001/samples/0000.png"]?["hash"] as? String
        != all["00001/samples/0000.png"]?["hash"] as? String)

    // Networks that cannot judge are one message, and what was scored stays.
    let kept = try read("geneval", "scores.json")
    let (few, question) = (folder.path + "/few", folder.path + "/question")
    try SmallJudges.writeDetector(few, classes: 12)
    try SmallJudges.writeQwen3VL(question)
    for (networks, hint) in [
      (["--detector", few, "--clip", clip], "COCO's 80"),
      (["--detector", clip, "--clip", clip], "only mask2former is supported"),
      (["--detector", detector, "--clip", question], "only clip is supported"),
      (["--detector", detector, "--clip", folder.path], "has no config.json"),
      (["--detector", detector], "give both"),
    ] { try expectRefused(score("geneval", prompts, networks), hint) }
    // A judge of other weights does not go on with the lines of the first one.
    let other = folder.path + "/other"
    try SmallJudges.writeCLIP(other, seed: 5)
    try expectRefused(
      score("geneval", prompts, ["--detector", detector, "--clip", other]),
      "what another judge found, \(name)")
    #expect(try read("geneval", "scores.json") == kept)
    #expect(try read("geneval", "detections.jsonl") == after)
  }

  private func expectRefused(_ result: Command.Result, _ hint: String) {
    #expect(result.status != 0 && result.errors.contains(hint), "\(hint): \(result.errors)")
    let reasons = result.errors.split(separator: "\n").filter {
      !$0.hasPrefix("Usage:") && !$0.hasPrefix("  ")
    }
    #expect(reasons.count <= 1, "\(result.errors)")
  }

  @Test func aJudgeThatWasStoppedGoesOn() throws {
    let prompts = try geneval2(6)
    let judge = folder.path + "/judge"
    try SmallJudges.writeQwen3VL(judge)
    let whole = try score("geneval2", prompts, ["--judge", judge])
    #expect(whole.status == 0, "\(whole.errors)")
    let found = try read("geneval2", "answers.jsonl")
    let name = try #require(try lines(found)["00000.png"]?["judge"] as? String)
    #expect(name.wholeMatch(of: /Qwen3-VL [0-9a-f]{8}/) != nil, "\(name)")
    for (_, line) in try lines(found) {
      let answers = try #require(line["answers"] as? [[String: Any]])
      #expect(answers.count == 2)
      for answer in answers {
        let probability = try #require(answer["probability"] as? Double)
        #expect(probability > 0 && probability < 1 && answer["first_token"] is String)
      }
    }
    #expect(try report().runs.first?.judges == [name])
    #expect(whole.output.contains("is not Qwen3-VL-8B-Instruct"), "\(whole.output)")

    // Killed after its first line, whenever that is: the file becomes the same.
    let path = "\(out)/geneval2/mine/answers.jsonl"
    try FileManager.default.removeItem(atPath: path)
    let (process, finish) = try Command.start(arguments("geneval2", prompts, ["--judge", judge]))
    while process.isRunning, (FileManager.default.contents(atPath: path) ?? Data()).isEmpty {
      Thread.sleep(forTimeInterval: 0.005)
    }
    kill(process.processIdentifier, SIGKILL)
    _ = finish()
    #expect(try score("geneval2", prompts, ["--judge", judge]).status == 0)
    #expect(try lines(read("geneval2", "answers.jsonl")).keys == lines(found).keys)
    #expect(try read("geneval2", "answers.jsonl") == found)

    // A line that was cut is written again, and lines that are whole are not.
    let marked = found.split(separator: "\n").prefix(3).joined(separator: "\n")
      .replacing("\"first_token\": \"", with: "\"first_token\": \"kept ")
    try Data((marked + "\n{\"file\": \"00003.png\", \"ans").utf8).write(to: URL(filePath: path))
    #expect(try score("geneval2", prompts, ["--judge", judge]).status == 0)
    let resumed = try read("geneval2", "answers.jsonl")
    #expect(
      resumed == marked + "\n" + found.split(separator: "\n").dropFirst(3).joined(separator: "\n")
        + "\n")

    // Wrong judges, and weights kept otherwise, are refused.
    let kept = try read("geneval2", "scores.json")
    let moe = folder.path + "/moe"
    try SmallJudges.writeQwen3VL(moe)
    let config = try String(contentsOfFile: moe + "/config.json", encoding: .utf8)
    try Data(config.replacing("\"qwen3_vl\"", with: "\"qwen3_vl_moe\"").utf8)
      .write(to: URL(filePath: moe + "/config.json"))
    let clip = folder.path + "/clip"
    try SmallJudges.writeCLIP(clip)
    for (more, hint) in [
      (["--judge", moe], "mixture of experts"), (["--judge", clip], "of the kind clip"),
      (["--judge", judge, "--judge-weights", "int8"], "what another judge found, \(name)"),
      (["--judge-weights", "int8"], "--judge-weights is for --judge"),
    ] { try expectRefused(score("geneval2", prompts, more), hint) }
    #expect(try read("geneval2", "scores.json") == kept)
    #expect(try read("geneval2", "answers.jsonl") == resumed)
  }

  @Test func questionsOfGridsAreAnswered() throws {
    for (number, name) in ["a", "b"].enumerated() {
      try picture("\(name).png", seed: number, side: 32)
    }
    let header =
      "item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,"
      + "question_natural_language\n"
    let prompts = try folder.file(
      "dpg.csv",
      header + header + "a,the dog,,1,0,,,entity - whole (dog),Is there a dog?\n"
        + "a,the dog,,2,1,,,attribute - color (dog),Is the dog red?\n"
        + "b,the cat,,1,0,,,entity - whole (cat),Is there a cat?\n"
        + "b,the cat,,2,1,,,attribute - color (cat),Is the cat red?\n")
    let judge = folder.path + "/judge"
    try SmallJudges.writeQwen2_5VL(judge)
    let result = try score("dpg", prompts, ["--judge", judge, "--judge-weights", "int8"])
    #expect(result.status == 0, "\(result.errors)")
    let all = try lines(read("dpg", "answers.jsonl"))
    #expect(all.keys.sorted() == ["a.png", "b.png"])
    let name = try #require(all["a.png"]?["judge"] as? String)
    #expect(name.wholeMatch(of: /Qwen2\.5-VL [0-9a-f]{8} in int8/) != nil, "\(name)")
    for (_, line) in all {
      let crops = try #require(line["crops"] as? [[String: String]])
      #expect(crops.count == 4 && crops.allSatisfy { $0.keys.sorted() == ["1", "2"] })
    }
    let page = try String(contentsOfFile: "\(out)/report.html", encoding: .utf8)
    #expect(page.contains("judged by \(name)"))
    #expect(try report().runs.first?.pictures.isEmpty == false)
  }

  /// A model makes pictures, which are judged in the same command.
  @Test func evaluateMakesAndJudgesPictures() throws {
    let model = try SmallPromptModel()
    #expect(try model.train().status == 0)
    let prompts = try folder.file(
      "data.jsonl",
      #"{"prompt": "the dog", "atom_count": 3, "vqa_list": [["Is there a dog?", "Yes"]], "skills": ["object"]}"#
        + "\n")
    let judge = folder.path + "/judge"
    try SmallJudges.writeQwen3VL(judge)
    func evaluate(_ more: String...) throws -> Command.Result {
      try model.run(
        [
          "evaluate", model.folder.path + "/base", "--benchmark", "geneval2", "--prompts", prompts,
          "--out", out, "--judge", judge,
        ] + more)
    }
    let first = try evaluate()
    #expect(first.status == 0 && first.output.contains("GenEval 2"), "\(first.errors)")
    let place = "\(out)/geneval2/base-1-step"
    let found = try String(contentsOfFile: place + "/answers.jsonl", encoding: .utf8)
    #expect(try lines(found).keys.sorted() == ["00000.png"])
    #expect(try report().runs.map(\.pictures.count) == [1])
    #expect(FileManager.default.fileExists(atPath: place + "/scores.json"))
    // Other noise is another picture, which is judged.
    let other = try evaluate("--seed", "7")
    #expect(other.status == 0, "\(other.errors)")
    let after = try lines(String(contentsOfFile: place + "/answers.jsonl", encoding: .utf8))
    #expect(
      after["00000.png"]?["hash"] as? String != (try lines(found))["00000.png"]?["hash"] as? String)
    #expect(try report().runs.first?.run.seed == 7)
    // A folder that is no judge is refused, after the pictures are made.
    let wrong = try model.run([
      "evaluate", model.folder.path + "/base", "--benchmark", "geneval2", "--prompts", prompts,
      "--out", out, "--judge", model.folder.path + "/bert",
    ])
    #expect(wrong.status != 0 && wrong.errors.contains("of the kind bert"), "\(wrong.errors)")
    #expect(try report().runs.first?.run.seed == 7)
  }
}
