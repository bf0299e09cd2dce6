/// What a scene has to show, with the words for it.
public struct SceneRequest: Hashable, Sendable {
  /// What a prompt is about, by GenEval's names.
  public enum Task: String, CaseIterable, Sendable, Codable {
    case oneObject = "single_object"
    case twoObjects = "two_object"
    case counting
    case colors
    case position
    case attribution = "color_attr"
  }

  /// Objects of one class.
  public struct Group: Hashable, Sendable {
    /// The class.
    public let object: SceneClass
    /// The number of objects.
    public var count = 1
    /// The color that is asked for; nil for the most common one.
    public var color: String?
    /// Where the object is in relation to that of the first group: `left of`, `right of`, `above`, `below`.
    public var relation: String?

    /// Makes a group.
    public init(
      _ object: SceneClass, count: Int = 1, color: String? = nil, relation: String? = nil
    ) {
      (self.object, self.count, self.color, self.relation) = (object, count, color, relation)
    }

    /// The color of its objects in scenes, nil for classes without a choice.
    var drawnColor: String? { color ?? object.colors.first }
  }

  /// The task.
  public let task: Task
  /// The objects; one with a relation comes behind what it is related to.
  public let groups: [Group]

  /// The most objects of a scene.
  public static let mostObjects = 4
  /// The relations.
  public static let relations = ["left of", "right of", "above", "below"]

  /// Makes a request.
  public init(_ task: Task, _ groups: [Group]) {
    let count = groups.reduce(0) { $0 + $1.count }
    precondition(
      (1...Self.mostObjects).contains(count) && groups.allSatisfy { $0.count > 0 }
        && (count == 2 || groups.allSatisfy { $0.relation == nil }),
      "a scene has up to \(Self.mostObjects) objects, and relations of two")
    (self.task, self.groups) = (task, groups)
  }

  /// Whether it has a combination that training scenes of text-to-scene models do not have: a color of a
  /// class, two classes together, or a number of objects of a class.
  public var isHeldOut: Bool {
    if groups.contains(where: { $0.color != nil && $0.color == $0.object.heldOutColor }) {
      return true
    }
    if groups.count == 1, let count = groups[0].object.heldOutCount, groups[0].count == count {
      return true
    }
    return groups.count == 2 && SceneClass.isHeldOut(groups[0].object, with: groups[1].object)
  }

  /// The prompt.
  public var prompt: String { prompts[0] }

  /// The prompt in several words, the benchmark's first.
  public var prompts: [String] {
    guard groups.count == 2 else {
      let group = groups[0]
      let words = group.object.several(group.count, group.color)
      guard group.count == 1 else {
        return [words, "a picture of \(words)"]
      }
      let one = group.object.one(group.color)
      return task == .counting ? [words, one] : [one, "a picture of \(one)", words]
    }
    let (first, second) = (
      groups[0].object.one(groups[0].color), groups[1].object.one(groups[1].color)
    )
    guard let relation = groups[1].relation else {
      return ["\(first) and \(second)", "\(second) and \(first)"]
    }
    let longer = relation.hasSuffix(" of") ? "to the \(relation)" : relation
    let opposite = Self.opposite(of: relation)
    return [
      "\(second) \(relation) \(first)", "\(second) \(longer) \(first)",
      "\(first) \(opposite) \(second)",
    ].reduce(into: []) { all, prompt in if !all.contains(prompt) { all.append(prompt) } }
  }

  private static func opposite(of relation: String) -> String {
    relations[relations.firstIndex(of: relation)! ^ 1]
  }
}

extension SceneRequest {
  /// A random request of a task.
  init(random task: Task, using random: inout some RandomNumberGenerator) {
    let plain = SceneClass.all
    let colored = plain.filter { !$0.colors.isEmpty }
    func pick<Element>(_ all: [Element]) -> Element { all.randomElement(using: &random)! }
    func group(_ object: SceneClass, isColored: Bool) -> Group {
      Group(object, color: isColored && !object.colors.isEmpty ? pick(object.colors) : nil)
    }
    func two(_ classes: [SceneClass], isColored: () -> Bool) -> [Group] {
      let first = pick(classes)
      let second = pick(classes.filter { $0 != first })
      return [group(first, isColored: isColored()), group(second, isColored: isColored())]
    }
    switch task {
    case .oneObject: self.init(task, [Group(pick(plain))])
    case .twoObjects: self.init(task, two(plain) { false })
    case .counting:
      var own = Group(pick(plain))
      own.count = pick(Array(1...Self.mostObjects))
      self.init(task, [own])
    case .colors: self.init(task, [group(pick(colored), isColored: true)])
    case .position:
      // Every third object has a color as well.
      var groups = two(plain) { Int.random(in: 0..<3, using: &random) == 0 }
      groups[1].relation = pick(Self.relations)
      self.init(task, groups)
    case .attribution: self.init(task, two(colored) { true })
    }
  }

  /// The prompts of the benchmark, task by task: all single objects, and of the others as many as
  /// `SceneRequest.counts` says, about a third of them held out.
  public static let benchmark: [SceneRequest] = {
    var random = SplitMix64(20_26)
    return Task.allCases.flatMap { task -> [SceneRequest] in
      guard let (known, heldOut) = counts[task] else {
        return SceneClass.all.map { SceneRequest(task, [Group($0)]) }
      }
      var (chosen, prompts): ([SceneRequest], Set<String>) = ([], [])
      while chosen.count < known + heldOut {
        let request = SceneRequest(random: task, using: &random)
        let has = chosen.count { $0.isHeldOut == request.isHeldOut }
        guard has < (request.isHeldOut ? heldOut : known), prompts.insert(request.prompt).inserted
        else { continue }
        chosen.append(request)
      }
      return chosen
    }
  }()

  /// The numbers of prompts of the benchmark with known and with held-out combinations.
  private static let counts: [Task: (known: Int, heldOut: Int)] = [
    .twoObjects: (44, 20), .counting: (48, 16), .colors: (36, 11), .position: (54, 26),
    .attribution: (40, 24),
  ]
}
