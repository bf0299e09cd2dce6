import Files
import Foundation
import Pictures
import TestSupport
import Testing

@testable import Datasets

@Suite struct SceneTests {
  private let folder: TemporaryFolder
  private let pictures: ScenePictures

  init() throws {
    folder = try TemporaryFolder()
    try EmojiPictures.write(to: folder.path + "/emoji")
    pictures = try ScenePictures(folder.path + "/emoji")
  }

  private func object(_ name: String) -> SceneClass {
    SceneClass.all[SceneClass.index(of: name)!]
  }

  @Test func boxesAreTight() throws {
    for task in SceneRequest.Task.allCases {
      for seed in 0..<4 as Range<UInt64> {
        var random = SplitMix64(seed)
        let request = SceneRequest(random: task, using: &random)
        let scene = pictures.scene(request, ground: [240, 250, 230], using: &random)
        #expect(scene.objects.count == request.groups.reduce(0) { $0 + $1.count })
        func isGround(_ x: Int, _ y: Int) -> Bool {
          let place = (y * Scene.size + x) * 3
          return Array(scene.picture.values[place..<place + 3]) == [240, 250, 230]
        }
        // Nothing is outside of the boxes, and something is at each side of each one.
        var outside = 0
        for y in 0..<Scene.size {
          for x in 0..<Scene.size {
            let isInside = scene.objects.contains { object in
              (object.box[0]..<object.box[2]).contains(x)
                && (object.box[1]..<object.box[3]).contains(y)
            }
            if !isInside, !isGround(x, y) { outside += 1 }
          }
        }
        #expect(outside == 0)
        for box in scene.objects.map(\.box) {
          #expect(box.allSatisfy { (0...Scene.size).contains($0) })
          let (columns, rows) = (box[0]..<box[2], box[1]..<box[3])
          #expect(columns.contains { !isGround($0, box[1]) && !isGround($0, box[3] - 1) })
          #expect(rows.contains { !isGround(box[0], $0) && !isGround(box[2] - 1, $0) })
        }
      }
    }
  }

  @Test func objectsHardlyOverlap() {
    for seed in 0..<200 as Range<UInt64> {
      var random = SplitMix64(seed)
      let group = SceneRequest.Group(object("star"), count: 2 + Int(seed % 3))
      let scene = pictures.scene(SceneRequest(.counting, [group]), using: &random)
      let boxes = scene.objects.map(\.box)
      for (number, a) in boxes.enumerated() {
        for b in boxes[(number + 1)...] {
          let width = min(a[2], b[2]) - max(a[0], b[0])
          let height = min(a[3], b[3]) - max(a[1], b[1])
          #expect(width <= 0 || height <= 0 || width * height <= 120, "\(a) and \(b)")
        }
      }
    }
  }

  @Test func detectorsSeeObjectsOfAnySize() {
    let request = SceneRequest(.oneObject, [.init(object("star"))])
    func lengths(hasAnySize: Bool) -> [Int] {
      (0..<200 as Range<UInt64>).map { seed in
        var random = SplitMix64(seed)
        let box = pictures.scene(request, hasAnySize: hasAnySize, using: &random).objects[0].box
        #expect(box.allSatisfy { (0...Scene.size).contains($0) })
        return max(box[2] - box[0], box[3] - box[1])
      }
    }
    let (any, usual) = (lengths(hasAnySize: true), lengths(hasAnySize: false))
    #expect(any.min()! < 28 && any.max()! > 60 && any.max()! <= Scene.size)
    #expect(usual.min()! >= 32 && usual.max()! <= 46)
  }

  @Test(arguments: ["left of", "right of", "above", "below"])
  func relationsHold(_ relation: String) {
    let groups = [
      SceneRequest.Group(object("cat")),
      SceneRequest.Group(object("apple"), color: "red", relation: relation),
    ]
    for seed in 0..<20 as Range<UInt64> {
      var random = SplitMix64(seed)
      let scene = pictures.scene(SceneRequest(.position, groups), using: &random)
      #expect(scene.objects.map(\.object.name) == ["cat", "apple"])
      #expect(scene.objects.map(\.color) == [nil, "red"])
      let centers = scene.objects.map { ($0.box[0] + $0.box[2], $0.box[1] + $0.box[3]) }
      let (x, y) = (centers[1].0 - centers[0].0, centers[1].1 - centers[0].1)
      switch relation {
      case "left of": #expect(x < -abs(y))
      case "right of": #expect(x > abs(y))
      case "above": #expect(y < -abs(x))
      default: #expect(y > abs(x))
      }
    }
  }

  @Test func promptsSayWhatIsThere() {
    let red = SceneRequest.Group(object("apple"), color: "red", relation: "left of")
    let cat = SceneRequest.Group(object("cat"))
    #expect(
      SceneRequest(.position, [cat, red]).prompts == [
        "a red apple left of a cat", "a red apple to the left of a cat",
        "a cat right of a red apple",
      ])
    #expect(
      SceneRequest(.counting, [.init(object("butterfly"), count: 3)]).prompt
        == "three butterflies")
    #expect(
      SceneRequest(.oneObject, [.init(object("airplane"))]).prompts
        == ["an airplane", "a picture of an airplane", "one airplane"])
    #expect(
      SceneRequest(.attribution, [.init(object("dress"), color: "orange"), red]).groups.count == 2)
    #expect(SceneRequest(.twoObjects, [cat, .init(object("dog"))]).prompt == "a cat and a dog")
  }

  @Test func benchmarkHasKnownAndHeldOutPrompts() throws {
    let all = SceneRequest.benchmark
    #expect(Set(all.map(\.prompt)).count == all.count && (300...500).contains(all.count))
    for task in SceneRequest.Task.allCases where task != .oneObject {
      let own = all.filter { $0.task == task }
      let heldOut = own.count(where: \.isHeldOut)
      #expect(own.count >= 40 && heldOut * 5 >= own.count && heldOut * 2 <= own.count, "\(task)")
    }
    #expect(!all.contains { $0.task == .oneObject && $0.isHeldOut })
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").path
    let shipped = try String(
      contentsOfFile: root + "/Assets/benchmarks/emoji-compositions/prompts.jsonl",
      encoding: .utf8)
    #expect(shipped == (try ScenePromptLine.benchmark.joined(separator: "\n")) + "\n")
  }

  @Test func foldersAreReproducibleAndHoldNothingBack() throws {
    let paths = ["a", "b", "c"].map { "\(folder.path)/\($0)" }
    for (path, seed) in zip(paths, [5, 5, 6] as [UInt64]) {
      var count = 0
      try SceneFolder(pictures, seed: seed)
        .write(to: path, training: 12, test: 6, samples: 0) { count = $0 }
      #expect(count == 18)
    }
    let names = try FileManager.default.subpathsOfDirectory(atPath: paths[0]).sorted()
    #expect(names.contains("train/00011.txt") && names.contains("test/00005.png"))
    for name in names {
      let contents = paths.map { FileManager.default.contents(atPath: "\($0)/\(name)") }
      #expect(contents[0] == contents[1], "\(name)")
    }
    let train = paths.map { FileManager.default.contents(atPath: "\($0)/train.jsonl") }
    #expect(train[0] != train[2])
    let lines = try String(contentsOfFile: paths[0] + "/test.jsonl", encoding: .utf8)
      .split(separator: "\n")
    let line = try JSONDecoder().decode(SceneFolder.Line.self, from: Data(lines[0].utf8))
    #expect(line.file == "test/00000.png" && line.objects.count == 1)
    // A folder that is there is not replaced.
    #expect(throws: FileError.self) {
      try SceneFolder(pictures, seed: 1).write(to: paths[0], training: 1, test: 1, samples: 0)
    }
  }

  @Test func eachPromptHasARealScene() throws {
    struct Line: Decodable {
      let prompt: String
      let picture: String
      let split: String
    }
    let path = folder.path + "/a"
    try SceneFolder(pictures, seed: 5).write(to: path, training: 1, test: 1, samples: 1)
    let lines = try String(contentsOfFile: path + "/real.jsonl", encoding: .utf8)
      .split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    let requests = SceneRequest.benchmark
    #expect(lines.map(\.prompt) == requests.map(\.prompt))
    #expect(lines.map { $0.split == "held-out" } == requests.map(\.isHeldOut))
    #expect(Set(lines.map(\.picture)).count == requests.count)
    #expect(lines.allSatisfy { FileManager.default.fileExists(atPath: "\(path)/\($0.picture)") })
  }

  @Test func trainingScenesLackHeldOutCombinations() {
    var found = 0
    for object in SceneClass.all {
      if let color = object.heldOutColor {
        #expect(color != object.colors[0])
        #expect(SceneRequest(.colors, [.init(object, color: color)]).isHeldOut)
        found += 1
      }
      for color in object.colors where color != object.heldOutColor {
        #expect(!SceneRequest(.colors, [.init(object, color: color)]).isHeldOut)
      }
    }
    #expect(found == SceneClass.all.count(where: { $0.colors.count > 2 }))
  }

  @Test func colorsAreReplaced() {
    // Half red, a quarter green, a quarter gray.
    let values = [[230, 40, 40], [200, 30, 30], [40, 180, 60], [128, 128, 128]] as [[UInt8]]
    let picture = Picture(
      width: 4, height: 1, channels: 4, values: values.flatMap { $0 + [255] })
    let blue = SceneColoring.named["blue"]!(picture).values
    let colors = (0..<4).map { HSV(blue[4 * $0], blue[4 * $0 + 1], blue[4 * $0 + 2]) }
    #expect(abs(colors[0].hue - 212) < 3 && abs(colors[1].hue - 212) < 3)
    #expect(Array(blue[8..<11]) == values[2] && Array(blue[12..<15]) == values[3])
    for value in values {
      let color = HSV(value[0], value[1], value[2])
      #expect(zip(color.rgb, value).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    }
  }

  @Test func batchesAreFreshAndCanBeResumed() throws {
    let data = SceneData(folder: folder.path + "/emoji", distortion: true)
    var batches = try data.batches(size: 4, seed: 3)
    let first = try batches.next(rows: 0..<4)
    let saved = try batches.saved()
    let second = try batches.next(rows: 0..<4)
    #expect(first != second)
    try batches.restore(saved)
    #expect(try batches.next(rows: 0..<4) == second)
    // Rows are the same whoever makes them.
    var other = try data.batches(size: 4, seed: 3)
    let part = try other.next(rows: 2..<4)
    let bytes = first["sample"]!.bytes
    #expect(Array(bytes[(bytes.count / 2)...]) == part["sample"]!.bytes)
    let objects: [Float] = first["objects"]!.bytes.withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    for row in 0..<16 {
      let values = Array(objects[row * 6..<row * 6 + 6])
      if values[0] < 0 { continue }
      #expect(SceneClass.all.indices.contains(Int(values[0])))
      #expect(values[1...].dropFirst().allSatisfy { (0...1).contains($0) })
      #expect((values[1] < 0) == SceneClass.all[Int(values[0])].colors.isEmpty)
    }
  }

  @Test func aMissingEmojiIsNamed() throws {
    try FileManager.default.removeItem(atPath: folder.path + "/emoji/train/cat-face.png")
    let error = #expect(throws: DatasetError.self) {
      try ScenePictures(folder.path + "/emoji")
    }
    #expect("\(error!)".contains("emoji/train/cat-face.png"))
  }
}
