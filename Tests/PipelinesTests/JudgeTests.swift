import Foundation
import Models
import Pictures
import Runtime
import TestSupport
import Testing
import Weights

@testable import Pipelines

/// Networks that judge pictures, as they are opened and asked; that they compute the right numbers is tested
/// with the golden cases.
@Suite struct JudgeTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden").path

  /// A copy of a case's model that a test may damage.
  private func copy(_ name: String, _ folder: String = "model") throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    let manager = FileManager.default
    for file in try manager.contentsOfDirectory(atPath: "\(Self.fixtures)/\(name)/\(folder)") {
      try manager.copyItem(
        atPath: "\(Self.fixtures)/\(name)/\(folder)/\(file)", toPath: "\(copy.path)/\(file)")
    }
    return copy
  }

  /// Replaces texts of equal length in a file of settings, or in the header of safetensors.
  private func replace(_ old: String, _ new: String, in path: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let isArrays = path.hasSuffix(".safetensors")
    let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let (start, end) = isArrays ? (8, 8 + length) : (0, data.count)
    let text = String(decoding: data[start..<end], as: UTF8.self)
    let changed = text.replacing(old, with: new)
    try #require(changed != text && changed.utf8.count == text.utf8.count)
    try (data[..<start] + Data(changed.utf8) + data[end...]).write(to: URL(fileURLWithPath: path))
  }

  private func setting(_ key: String, _ value: Any, in path: String) throws {
    let url = URL(fileURLWithPath: path)
    var settings =
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] ?? [:]
    settings[key] = value
    try JSONSerialization.data(withJSONObject: settings).write(to: url)
  }

  private func expectError(_ hints: String..., opening: () throws -> some Any) {
    do {
      _ = try opening()
      Issue.record("nothing was thrown, instead of \(hints)")
    } catch {
      let text = "\(error)"
      for hint in hints { #expect(text.contains(hint), "\(text)") }
      #expect(!text.contains("\n"), "\(text)")
    }
  }

  private func image(_ name: String, _ file: String) throws -> RGBImage {
    try RGBImage(contentsOf: "\(Self.fixtures)/\(name)/\(file)")
  }

  // MARK: CLIP

  @Test func labelsHaveProbabilities() throws {
    let engine = try SharedEngine.get()
    let model = "\(Self.fixtures)/judge_clip/model"
    let judge = try CLIPJudge(model, on: engine)
    let pictures = try [0, 1].map { try image("judge_clip", "image_\($0).png") }
    let labels = [["a red dog"], ["a blue tv", "a photo of a tv"], ["nothing"]]
    let found = try judge.probabilities(of: labels, for: pictures)
    #expect(found.count == 2 && found.allSatisfy { abs($0.reduce(0, +) - 1) < 1e-9 })
    #expect(found[0] != found[1])
    // Each label counts by itself, and more pictures than are encoded together change nothing.
    let many = try judge.probabilities(
      of: [labels[1], labels[0], labels[2]],
      for: [RGBImage](repeating: pictures[1], count: 17) + [pictures[0]])
    #expect(many.count == 18 && abs(many[17][0] - found[0][1]) < 1e-6)
    #expect(abs(many[16][1] - found[1][0]) < 1e-6)
    #expect(judge.component.isLoaded)
    judge.release()
    #expect(!judge.component.isLoaded)
    #expect(try judge.probabilities(of: labels, for: pictures) == found)
  }

  @Test func colorsOfObjectsAreScored() throws {
    let folder = "\(Self.fixtures)/judge_clip/model"
    let judge = try CLIPJudge(
      "\(Self.fixtures)/judge_clip/model_open_clip", tokenizer: folder, on: SharedEngine.get())
    let scene = try image("judge_clip", "image_0.png")
    let crop = ObjectCrop()
    let objects = [[0, 0, 20, 30], [-5, 10, 55, 37]].map { crop(scene, box: $0) }
    let scores = try judge.colorScores(["red", "blue"], of: "dog", in: objects)
    #expect(scores.count == 2 && scores.allSatisfy { $0.count == 2 })
    #expect(scores.joined().allSatisfy { abs($0) <= 100.001 })
    #expect(
      CLIPJudge.colorTexts("red", of: "dog")
        == ["a photo of a red dog", "a photo of a red-colored dog", "a photo of a red object"])
  }

  @Test func objectsAreCutOut() {
    let image = RGBImage(width: 3, height: 2, values: (1...18).map { UInt8($0) })
    // 0.5 and 2.5 are rounded to even numbers.
    let part = ObjectCrop()(image, box: [0.5, 0.6, 2.5, 2.2])
    #expect(part == image.cropped(x: 0, y: 1, width: 2, height: 1))
    let beyond = ObjectCrop()(image, box: [2, -1, 5, 1])
    #expect(beyond.values == [UInt8](repeating: 0, count: 9) + [7, 8, 9, 0, 0, 0, 0, 0, 0])
    let mask = [true, false, true, false, false, true]
    let masked = ObjectCrop(cutsBox: false)(image, box: [0, 0, 1, 1], mask: mask)
    #expect(
      masked.values == [1, 2, 3, 153, 153, 153, 7, 8, 9] + [UInt8](repeating: 153, count: 6)
        + [16, 17, 18])
    let plain = ObjectCrop(background: nil, cutsBox: false)(image, box: [0, 0, 1, 1], mask: mask)
    #expect(plain == image)
  }

  @Test func otherFoldersThanOfCLIPAreNamed() throws {
    let engine = try SharedEngine.get()
    let bare = try copy("judge_clip")
    try FileManager.default.removeItem(atPath: bare.path + "/preprocessor_config.json")
    expectError("has no preprocessor_config.json", "how pictures are prepared") {
      try CLIPJudge(bare.path, on: engine)
    }
    let text = try copy("judge_clip")
    try setting("model_type", "clip_text_model", in: text.path + "/config.json")
    expectError("clip_text_model", "encoder of images") { try CLIPJudge(text.path, on: engine) }
    let other = try copy("judge_mask2former")
    expectError("mask2former", "only clip is supported") { try CLIPJudge(other.path, on: engine) }
    let large = try copy("judge_clip")
    try setting("size", 40, in: large.path + "/preprocessor_config.json")
    try setting("crop_size", 20, in: large.path + "/preprocessor_config.json")
    expectError("cut to 20 pixels", "takes 16") { try CLIPJudge(large.path, on: engine) }
    let without = try copy("judge_clip")
    try replace("vision_model.post", "vision_model.xost", in: without.path + "/model.safetensors")
    expectError("vision_model.post_layernorm.weight") { try CLIPJudge(without.path, on: engine) }
    expectError("is a file alone", "open_clip_config.json", "clip-vit-large-patch14") {
      try CLIPJudge(
        "\(Self.fixtures)/judge_clip/model_open_clip/open_clip_model.safetensors", on: engine)
    }
    let wordless = try copy("judge_clip", "model_open_clip")
    expectError("tokenizer") { try CLIPJudge(wordless.path, on: engine) }
  }

  // MARK: Qwen2.5-VL

  @Test func questionsAreAnswered() throws {
    let name = "judge_qwen2_5_vl_a"
    let judge = try VisionLanguageJudge(
      "\(Self.fixtures)/\(name)/model", precision: .float32, on: SharedEngine.get())
    let pictures = try [0, 1].map { try image(name, "image_\($0).png") }
    let questions = [
      Conversation(asking: "Does this image show a clock?", about: [pictures[0]]),
      Conversation(asking: "Are these two pictures of a dog? Answer yes or no.", about: pictures),
      Conversation(asking: "What is one and one?", about: []),
    ]
    let answers = ["Yes", " yes", "No", "Yes"]
    let together = try judge.probabilities(of: answers, to: questions)
    let texts = try judge.answers(to: questions, limit: 5)
    #expect(together.count == 3 && texts.count == 3)
    // The padding of a batch changes nothing.
    for (number, question) in questions.enumerated() {
      let alone = try judge.probabilities(of: answers, to: [question])[0]
      expectClose(alone, together[number], relative: 1e-3)
      #expect(alone[0] == alone[3] && alone.allSatisfy { $0 > 0 && $0 < 1 })
      #expect(try judge.answers(to: [question], limit: 5) == [texts[number]])
    }
    // Any number of questions needs few programs.
    for count in 5...7 {
      let many = [Conversation](repeating: questions[0], count: count - 1) + [questions[1]]
      let expected = [String](repeating: texts[0], count: count - 1) + [texts[1]]
      #expect(try judge.answers(to: many, limit: 5) == expected)
    }
    let batches = judge.programs.keys.compactMap { work in
      if case .prompts(let batch, _, _, room: 5) = work { batch } else { nil }
    }
    #expect(Set(batches) == [1, 2, 4])
    #expect(try judge.answers(to: [questions[0]], limit: 0) == [""])
    #expect(try judge.probabilities(of: answers, to: []).isEmpty)
    judge.release()
    #expect(!judge.model.isLoaded && !judge.vision.component.isLoaded)
    // Half the bits give nearly the same.
    let half = try VisionLanguageJudge(
      "\(Self.fixtures)/\(name)/model", precision: .bfloat16, on: SharedEngine.get())
    expectClose(
      try half.probabilities(of: answers, to: questions)[0], together[0], relative: 0.3)
    #expect(throws: ModelError.self) {
      try judge.answers(to: [Conversation(asking: "<|image_pad|>", about: [])])
    }
  }

  @Test func imageProcessorsAreReadFromTheFileOfTheProcessorToo() throws {
    let engine = try SharedEngine.get()
    let folder = try copy("judge_qwen2_5_vl_a")
    let alone = folder.path + "/preprocessor_config.json"
    let joint = URL(fileURLWithPath: folder.path + "/processor_config.json")
    let settings = try String(contentsOfFile: alone, encoding: .utf8)
    try Data(#"{"processor_class": "Qwen2_5_VLProcessor"}"#.utf8).write(to: joint)
    let expected = try VisionLanguageJudge(folder.path, on: engine).processor

    try FileManager.default.removeItem(atPath: alone)
    expectError("processor_config.json cannot be used", "`image_processor` is missing") {
      try VisionLanguageJudge(folder.path, on: engine)
    }
    try Data(#"{"image_processor": \#(settings)}"#.utf8).write(to: joint)
    #expect(try VisionLanguageJudge(folder.path, on: engine).processor == expected)
  }

  @Test func otherFoldersThanOfQwenAreNamed() throws {
    let engine = try SharedEngine.get()
    let name = "judge_qwen2_5_vl_a"
    let bare = try copy(name)
    try FileManager.default.removeItem(atPath: bare.path + "/preprocessor_config.json")
    expectError("has no preprocessor_config.json") {
      try VisionLanguageJudge(bare.path, on: engine)
    }
    // Qwen-Image-Edit has it beside its text encoder.
    let whole = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: whole.path + "/processor", withIntermediateDirectories: true)
    try FileManager.default.moveItem(
      atPath: bare.path, toPath: whole.path + "/text_encoder")
    try FileManager.default.copyItem(
      atPath: "\(Self.fixtures)/\(name)/model/preprocessor_config.json",
      toPath: whole.path + "/processor/preprocessor_config.json")
    _ = try VisionLanguageJudge(whole.path + "/text_encoder", on: engine)
    let index =
      #"{"_class_name": "QwenImageEditPipeline", "text_encoder": ["transformers", "Qwen"]}"#
    try Data(index.utf8).write(to: URL(fileURLWithPath: whole.path + "/model_index.json"))
    _ = try VisionLanguageJudge(whole.path, on: engine)

    let blind = try copy(name)
    try replace("\"visual.", "\"xisual.", in: blind.path + "/model.safetensors")
    expectError("holds no vision tower") { try VisionLanguageJudge(blind.path, on: engine) }
    let mute = try copy(name)
    try replace("\"lm_head.", "\"xm_head.", in: mute.path + "/model.safetensors")
    expectError("lm_head.weight", "no map to logits") {
      try VisionLanguageJudge(mute.path, on: engine)
    }
    let other = try copy(name)
    try setting("model_type", "llama", in: other.path + "/config.json")
    expectError("of the kind llama", "qwen2_5_vl") {
      try VisionLanguageJudge(other.path, on: engine)
    }
    let text = try copy(name)
    try replace("\"vision_config\"", "\"xision_config\"", in: text.path + "/config.json")
    expectError("no `vision_config`") { try VisionLanguageJudge(text.path, on: engine) }
    let empty = try TemporaryFolder()
    expectError("has no config.json") { try VisionLanguageJudge(empty.path, on: engine) }
  }

  // MARK: Qwen3-VL

  @Test func qwen3VLAnswersQuestions() throws {
    let model = "\(Self.fixtures)/judge_qwen3_vl/model"
    let judge = try VisionLanguageJudge(model, precision: .float32, on: SharedEngine.get())
    let pictures = try [0, 2].map { try image("judge_qwen3_vl", "image_\($0).png") }
    let questions = [
      Conversation(asking: "Does this image show a clock?", about: [pictures[0]]),
      Conversation(asking: "Are these two pictures of a dog? Answer yes or no.", about: pictures),
    ]
    #expect(judge.text(of: questions[0]).hasPrefix("<|im_start|>user\n<|vision_start|>"))
    let answers = ["Yes", "No"]
    let together = try judge.probabilities(of: answers, to: questions)
    let texts = try judge.answers(to: questions, limit: 4)
    for (number, question) in questions.enumerated() {
      let alone = try judge.probabilities(of: answers, to: [question])[0]
      expectClose(alone, together[number], relative: 1e-3)
      #expect(try judge.answers(to: [question], limit: 4) == [texts[number]])
    }
    // Weights in fewer bits give nearly the same.
    for (storage, tolerance) in [(BaseDType.int8, 0.1), (.int4, 0.9)] {
      let small = try VisionLanguageJudge(
        model, storage: storage, precision: .float32, on: SharedEngine.get())
      let found = try small.probabilities(of: answers, to: questions)[0]
      expectClose(found, together[0], relative: tolerance)
      #expect(found != together[0] && small.model.byteCount < judge.model.byteCount)
    }
  }

  @Test func otherFoldersThanOfQwen3VLAreNamed() throws {
    let engine = try SharedEngine.get()
    func changed(_ change: (String) throws -> Void) throws -> TemporaryFolder {
      let folder = try copy("judge_qwen3_vl")
      try change(folder.path)
      return folder
    }
    func expect(_ hints: [String], _ change: (String) throws -> Void) throws {
      let folder = try changed(change)
      do {
        try VisionLanguageJudge(folder.path, on: engine).model.load()
        Issue.record("nothing was thrown, instead of \(hints)")
      } catch {
        for hint in hints { #expect("\(error)".contains(hint), "\(error)") }
        #expect(!"\(error)".contains("\n"), "\(error)")
      }
    }
    try expect(["qwen3_vl_moe", "mixture of experts", "8B"]) {
      try setting("model_type", "qwen3_vl_moe", in: $0 + "/config.json")
    }
    try expect(["of the kind qwen3_5", "qwen2_5_vl, qwen3_vl"]) {
      try setting("model_type", "qwen3_5", in: $0 + "/config.json")
    }
    try expect(["`patch_size`", "is 14", "config.json 8"]) {
      try setting("patch_size", 14, in: $0 + "/preprocessor_config.json")
    }
    try expect(["no `vision_config`"]) {
      try replace("\"vision_config\"", "\"xision_config\"", in: $0 + "/config.json")
    }
    try expect(["holds no vision tower"]) {
      try replace("\"model.visual.", "\"model.xisual.", in: $0 + "/model.safetensors")
    }
    try expect(["lm_head.weight", "no map to logits"]) {
      try replace("\"lm_head.", "\"xm_head.", in: $0 + "/model.safetensors")
    }
    for name in [
      "language_model.layers.1.self_attn.q_norm.weight", "visual.pos_embed.weight",
      "visual.deepstack_merger_list.1.linear_fc1.weight", "visual.blocks.1.attn.qkv.bias",
    ] {
      try expect([name]) {
        try replace(name, "x" + name.dropFirst(), in: $0 + "/model.safetensors")
      }
    }
    try expect(["deepstack_visual_indexes", "0 to 1"]) {
      try replace(
        "\"deepstack_visual_indexes\": [\n      1", "\"deepstack_visual_indexes\": [\n      2",
        in: $0 + "/config.json")
    }
    try expect(["32 features", "takes 16"]) {
      try replace("\"out_hidden_size\": 16", "\"out_hidden_size\": 32", in: $0 + "/config.json")
    }
    try expect(["think before it answers", "Instruct"]) {
      let template = "{{- '<|im_start|>assistant\\n<think>\\n' }}"
      try Data(template.utf8).write(to: URL(fileURLWithPath: $0 + "/chat_template.jinja"))
    }
  }

  // MARK: Mask2Former

  @Test func thingsAreFound() throws {
    let engine = try SharedEngine.get()
    let model = "\(Self.fixtures)/judge_mask2former/model"
    let picture = try image("judge_mask2former", "image.png")
    let judge = try DetectionJudge(model, on: engine)
    let things = try judge(picture)
    #expect(!things.isEmpty && things.count <= 100)
    #expect(things.map(\.score) == things.map(\.score).sorted(by: >))
    for thing in things {
      #expect(thing.name == judge.config.labels[thing.label] && thing.score > 0)
      let pixels = thing.mask.indices.filter { thing.mask[$0] }
      let (x, y) = (pixels.map { $0 % picture.width }, pixels.map { $0 / picture.width })
      #expect(
        thing.box == [x.min()!, y.min()!, x.max()! + 1, y.max()! + 1].map { Float($0) })
    }
    let least = things[things.count / 2].score
    let better = try judge(picture, above: least)
    #expect(better == things.filter { $0.score > least } && !better.isEmpty)
    judge.release()
    #expect(!judge.component.isLoaded)
    let strict = try DetectionJudge(model, rules: .transformers(threshold: 0.99), on: engine)
    #expect(try strict(picture).isEmpty)
  }

  /// mmdetection's file has no names, and pads pictures instead of stretching them.
  @Test func filesOfMMDetectionAreOpened() throws {
    let engine = try SharedEngine.get()
    let file = "\(Self.fixtures)/judge_mask2former/model_mmdetection.pth"
    let names = (0..<12).map { "thing \($0)" }
    let judge = try DetectionJudge(file, labels: names, on: engine)
    #expect(judge.config.labels == names && judge.config.layout == .mmdetection)
    #expect(judge.processor == .mmdetection)
    expectError("1 names were given", "12") {
      try DetectionJudge(file, labels: ["a"], on: engine)
    }
    expectError("mmdetection's Mask2Former") {
      try DetectionJudge("\(Self.fixtures)/judge_clip/model/model.safetensors", on: engine)
    }
  }

  @Test func otherFoldersThanOfMask2FormerAreNamed() throws {
    let engine = try SharedEngine.get()
    let bare = try copy("judge_mask2former")
    try FileManager.default.removeItem(atPath: bare.path + "/preprocessor_config.json")
    expectError("has no preprocessor_config.json") { try DetectionJudge(bare.path, on: engine) }
    expectError("only mask2former is supported") {
      try DetectionJudge("\(Self.fixtures)/judge_clip/model", on: engine)
    }
    let other = try copy("judge_mask2former")
    try replace("class_predictor.", "xlass_predictor.", in: other.path + "/model.safetensors")
    expectError("class_predictor.weight") { try DetectionJudge(other.path, on: engine) }
  }
}
