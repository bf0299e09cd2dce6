import Foundation
import Runtime
import TestSupport
import Testing

@testable import Training

private let qwen = PublishedModels.qwen
private let edit = PublishedModels.edit
private let zImage = PublishedModels.zImage

/// Recipes for published text-to-image models that cannot be.
@Suite(.serialized) struct TextToImageErrorTests {
  let folder: TextToImageFolder

  init() throws { folder = try TextToImageFolder() }

  @Test(arguments: [
    (["data.folder=nowhere"], "nowhere"),
    (["batch=8", "steps=1"], "has 5 samples, and a batch takes 8"),
    (["data.size=[40, 48]"], "multiples of 16"),
    (["data.references=1"], "takes no reference images"),
    (["data.text_tokens=2"], "data.text_tokens is 2"),
    (["start=\(edit)"], "set data.references"),
    (["start=\(qwen)/transformer"], "Name its folder under encoders"),
    (["start=\(zImage)"], "holds the weights of the model {kind: z_image"),
    (["start=nowhere"], "There is no model nowhere"),
    (["encoders=\(zImage)"], "it is a z_image"),
  ])
  func saysWhatIsWrongBeforeAnythingIsDone(settings: [String], expected: String) throws {
    let error = #expect(throws: (any Error).self) {
      try Trainer(folder.recipe("wrong", set: settings), on: SharedEngine.get())
    }
    #expect("\(error!)".contains(expected), "\(error!)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/wrong"))
  }

  @Test(arguments: [
    ("data={kind: prompts, file: a.txt, size: [32, 32]}", "twinflow-data-free"),
    ("data={kind: fashion-mnist}", "the network takes text"),
    ("model={kind: z_image, time_convention: released}", "set it to signed"),
    ("lora={rank: 2, full: [norm_out]}", "only the embedder of target times"),
    ("data.size=[33, 32]", "multiples of 2"),
    ("data.size=[32]", "a height and a width"),
    ("data.buckets=[[32]]", "a list of heights and widths"),
    ("data.buckets=[[33, 32]]", "multiples of 2"),
    ("data.ground=[256, 0, 0]", "red, green and blue"),
    ("model={kind: dit, size: 48}", "it is for networks such as qwen_image"),
  ])
  func refusesSettingsThatDoNotFit(setting: String, expected: String) {
    let error = #expect(throws: (any Error).self) { try folder.recipe("wrong", set: [setting]) }
    #expect("\(error!)".contains(expected), "\(error!)")
  }
}
