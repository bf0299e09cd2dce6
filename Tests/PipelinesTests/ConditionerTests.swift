import Models
import Tensors
import TestSupport
import Testing

@testable import Pipelines

@Suite struct ConditionerTests {
  @Test func classesAreNamedByNumber() throws {
    let conditioner = ClassLabels(3)
    let arrays = try conditioner.prepare(["0", "2", "", .classNumber(1)])
    #expect(arrays["class"]?.array(of: Int32.self) == [0, 2, 3, 1])
    #expect(conditioner.inputs == [.classIndex(of: 3)])
    let results = try evaluate([Numbers([0, 2, 3], nil, .int32)]) { inputs in
      let given = Named([("class", inputs[0]), ("other", inputs[0])])
      let (condition, none) = (conditioner(given), conditioner.unconditional(given))
      precondition(condition.names == ["class"] && none.names == ["class"])
      return [condition["class"]!, none["class"]!]
    }
    #expect(results[0].values == [0, 2, 3] && results[1].values == [3, 3, 3])
  }

  @Test(arguments: ["3", "-1", "1.0", "one", " 1"])
  func promptsThatNameNoClass(text: String) {
    #expect(throws: PipelineError.unknownClass(text, classes: 3, source: nil)) {
      try ClassLabels(3).prepare([Prompt(text)])
    }
  }

  @Test(arguments: [-1, 3] as [Int32])
  func dataWithOtherClasses(wrong: Int32) throws {
    let arrays = { (classes: [Int32]) in Named([("class", HostArray(classes, shape: [2]))]) }
    try ClassLabels(3).check(arrays([0, 2]), source: "numbers")
    #expect(throws: PipelineError.unknownClass("\(wrong)", classes: 3, source: "numbers")) {
      try ClassLabels(3).check(arrays([0, wrong]), source: "numbers")
    }
  }

  @Test func theArchitectureDeterminesTheConditioner() throws {
    #expect(ModelConfig(DiTConfig()).conditioner is ClassLabels)
    #expect(ModelConfig(PointNetworkConfig()).conditioner is NoCondition)
    #expect(ModelConfig(DiTConfig()).codec is Pixels)
    #expect(ModelConfig(PointNetworkConfig()).codec == nil)
    #expect(Pixels(channels: 3).latent(of: ImageSize(height: 4, width: 6)) == [4, 6, 3])
  }
}
